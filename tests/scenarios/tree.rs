//! The repository is as ARCHITECTURE.md says, and its files stay short.
