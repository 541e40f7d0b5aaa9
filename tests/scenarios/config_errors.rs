//! Everything that is wrong with a configuration, at once, before anything listens.

use std::net::TcpListener;

use postern_tests::pki::Pki;
use postern_tests::postern::{self, Config};
use postern_tests::process::{Finished, run};
use postern_tests::{Failure, Outcome, binary, files};

#[test]
fn a_good_configuration_passes() -> Outcome {
    let pki = Pki::make()?;
    let checked = postern::check(&config(&pki))?;
    assert_eq!(checked.code(), 0, "{}", checked.stderr);
    Ok(())
}

#[test]
fn every_problem_is_reported_at_once() -> Outcome {
    let pki = Pki::make()?;
    let config = config(&pki)
        .without("tls.certificate")
        .raw("listen.adress", "\"127.0.0.1:1\"")
        .raw("limits.handshake_timeout_ms", "\"soon\"")
        .raw("limits.max_connections", "0")
        .text("revocation.depth", "deep")
        .text("upstream.address", "no port")
        .text("admin.address", "not an address");
    let expected = [
        "tls.certificate",
        "listen.adress",
        "limits.handshake_timeout_ms",
        "limits.max_connections",
        "revocation.depth",
        "upstream.address",
        "admin.address",
    ];
    for finished in [postern::check(&config)?, postern::run_to_end(&config)?] {
        let said = said(&finished);
        assert_eq!(finished.code(), 1, "{said}");
        for key in expected {
            assert!(said.contains(key), "{key} in\n{said}");
        }
        assert!(said.contains("listen.address"), "a hint for the misspelt key:\n{said}");
    }
    Ok(())
}

#[test]
fn every_file_problem_is_reported_at_once() -> Outcome {
    let pki = Pki::make()?;
    files::write(&pki.path("empty.pem"), "")?;
    let config = config(&pki)
        .text("tls.certificate", pki.path("empty.pem").display())
        .text("client_auth.trust_bundle", pki.path("absent.pem").display())
        .text("upstream.trust_bundle", pki.path("crl/root.crl").display())
        .raw("revocation.crls", format!("[{:?}]", pki.path("absent.crlx").display()));
    let checked = postern::check(&config)?;
    let said = said(&checked);
    assert_eq!(checked.code(), 1, "{said}");
    for file in ["empty.pem", "absent.pem", "root.crl", "absent.crlx"] {
        assert!(said.contains(file), "{file} in\n{said}");
    }
    Ok(())
}

#[test]
fn a_key_of_another_certificate_is_named() -> Outcome {
    let pki = Pki::make()?;
    let key = pki.path("upstream.key");
    let config = config(&pki).text("tls.private_key", key.display());
    for finished in [postern::check(&config)?, postern::run_to_end(&config)?] {
        let said = said(&finished);
        assert_eq!(finished.code(), 1, "{said}");
        for word in ["upstream.key", "tls.private_key", "tls.certificate"] {
            assert!(said.contains(word), "{word} in\n{said}");
        }
        let pem = files::read(&key)?;
        let secret = String::from_utf8_lossy(&pem).lines().nth(1).unwrap_or("?").to_owned();
        assert!(!said.contains(&secret), "keys are never shown");
    }
    Ok(())
}

#[test]
fn unreadable_files_are_named() -> Outcome {
    let pki = Pki::make()?;
    // A directory cannot be read as a file, whoever asks.
    for key in ["tls.certificate", "tls.private_key", "client_auth.trust_bundle"] {
        let checked = postern::check(&config(&pki).text(key, pki.path("crl").display()))?;
        assert_eq!(checked.code(), 1, "{key}");
        assert!(said(&checked).contains(&pki.path("crl").display().to_string()), "{key}: {}", said(&checked));
    }
    Ok(())
}

#[test]
fn a_file_that_is_not_toml_is_named_with_its_line() -> Outcome {
    let directory = files::temporary_directory()?;
    let path = directory.path().join("broken.toml");
    files::write(&path, "[listen]\naddress = \"127.0.0.1:0\"\nworkers = = 2\n")?;
    for path in [path, directory.path().join("absent.toml"), directory.path().to_owned()] {
        let mut command = binary::command("postern")?;
        let checked = run("postern check", command.arg("check").arg("--config").arg(&path))?;
        assert_eq!(checked.code(), 1);
        assert!(said(&checked).contains(&path.display().to_string()), "{}", said(&checked));
        if path.ends_with("broken.toml") {
            assert!(said(&checked).contains("line 3"), "{}", said(&checked));
        }
    }
    Ok(())
}

#[test]
fn an_address_in_use_is_named() -> Outcome {
    let pki = Pki::make()?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?;
    for key in ["listen.address", "admin.address"] {
        let finished = postern::run_to_end(&config(&pki).text(key, address))?;
        let said = said(&finished);
        assert_eq!(finished.code(), 1, "{key}: {said}");
        assert!(said.contains(&address.to_string()) && said.contains("in use"), "{key}: {said}");
    }
    Ok(())
}

#[test]
fn two_posterns_do_not_share_an_address() -> Outcome {
    // SO_REUSEPORT would let a second process steal half of the connections.
    let pki = Pki::make()?;
    let first = postern::Postern::start(&config(&pki))?;
    let second = postern::run_to_end(&config(&pki).text("listen.address", first.address()))?;
    assert_eq!(second.code(), 1, "{}", said(&second));
    assert!(said(&second).contains(&first.address().to_string()), "{}", said(&second));
    Ok(())
}

#[test]
fn the_environment_overrides_the_file() -> Outcome {
    let pki = Pki::make()?;
    let wrong = config(&pki).text("admin.address", "not an address");
    assert_eq!(check_with(&wrong, "POSTERN_ADMIN__ADDRESS", "127.0.0.1:0")?.code(), 0);
    let checked = check_with(&config(&pki), "POSTERN_LIMITS__MAX_CONECTIONS", "5")?;
    assert_eq!(checked.code(), 1);
    assert!(said(&checked).to_lowercase().contains("max_conections"), "{}", said(&checked));
    Ok(())
}

#[test]
fn what_contradicts_something_else_is_named_with_its_line() -> Outcome {
    let pki = Pki::make()?;
    let file = |name: &str| pki.path(name).display().to_string();
    let server = |names: &str, certificate: &str, more: &str| {
        format!(
            "[[server]]\nnames = {names}\ncertificate = {:?}\nprivate_key = {:?}\n[server.client_auth]\n{more}\n",
            file(&format!("{certificate}.pem")),
            file(&format!("{certificate}.key"))
        )
    };
    let bundle = format!("trust_bundle = {:?}", file("root.pem"));
    let cases = [
        (
            "[[route]]\nname = 'a'\npath_prefix = '/x'\n[[route]]\nname = 'a'\npath_prefix = '/x/'\n".to_owned(),
            vec!["route[2].name: route[1] has that name", "route[2]: never reached: all of it is taken by route[1]"],
        ),
        (
            "[[route]]\nname = 'a'\nmethods = ['GET']\nhosts = ['a.example']\n\
             [[route]]\nname = 'b'\nmethods = ['PUT', 'GET']\nhosts = ['A.example']\n"
                .to_owned(),
            vec!["route[2]: ambiguous: some of it is taken by route[1] (GET, a.example)"],
        ),
        (
            "[[route]]\nname = 'a'\npath_prefix = '/a/../b'\nmethods = ['get']\nhosts = ['a b']\npath_prefx = 'c'\n".to_owned(),
            vec![
                "route[1].path_prefix: cannot be matched: a dot segment",
                "route[1].methods: \"get\" does not fit",
                "route[1].hosts: \"a b\" is no name",
                "route[1].path_prefx: unknown key",
                "did you mean route.path_prefix?",
            ],
        ),
        (
            "[[route]]\nname = 'a'\ndanger_allow_anonymous = true\n".to_owned(),
            vec!["route[1].danger_allow_anonymous: has no effect"],
        ),
        (
            server("['localhost']", "server", "mode = 'off'"),
            vec!["server[1].client_auth.mode: \"off\", and no route"],
        ),
        (
            server("['localhost', 'LOCALHOST']", "server", &bundle) + &server("['localhost']", "server", &bundle),
            vec!["server[1].names: \"LOCALHOST\" is there twice", "server[2].names: localhost is a name of server[1], too"],
        ),
        (
            server("['api.example.com']", "server", &bundle) + &server("['localhost']", "upstream", "mode = 'optional'"),
            vec!["server[2].client_auth.trust_bundle: missing"],
        ),
        (
            server("['api.example.com']", "server", &bundle),
            vec!["server[1].certificate: ", "server.pem: is not for api.example.com"],
        ),
        ("[route]\nname = 'a'\n".to_owned(), vec!["route: not a list of tables", "begin each with [[route]]"]),
    ];
    for (toml, expected) in cases {
        let checked = postern::check(&config(&pki).list(&toml))?;
        assert_eq!(checked.code(), 1, "{toml}");
        for words in expected {
            assert!(checked.stderr.contains(words), "{words} in\n{}", checked.stderr);
        }
        assert!(checked.stderr.starts_with("line "), "{}", checked.stderr);
    }
    let hosts = "[[route]]\nname = 'a'\nhosts = ['localhost', 'elsewhere.example', '*.example.com']\n";
    let checked = postern::check(&config(&pki).text("tls.unknown_names", "refuse").list(hosts))?;
    for host in ["elsewhere.example", "*.example.com"] {
        assert!(
            checked.stderr.contains(&format!("route[1].hosts: {host} is never reached")),
            "{}",
            checked.stderr
        );
    }
    assert!(!checked.stderr.contains("localhost is never"), "{}", checked.stderr);
    Ok(())
}

fn config(pki: &Pki) -> Config {
    Config::new(pki, ([127, 0, 0, 1], 9).into())
}

fn said(finished: &Finished) -> String {
    format!("{}{}", finished.stderr, finished.stdout)
}

fn check_with(config: &Config, variable: &str, value: &str) -> Result<Finished, Failure> {
    let directory = files::temporary_directory()?;
    let path = directory.path().join("postern.toml");
    config.write(&path)?;
    let mut command = binary::command("postern")?;
    run("postern check", command.arg("check").arg("--config").arg(&path).env(variable, value))
}
