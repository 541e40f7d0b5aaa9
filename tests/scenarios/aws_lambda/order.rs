//! Whatever the order in which events come, and however often: the newest stays.

use postern_tests::Outcome;
use postern_tests::lambda::Function;
use postern_tests::random::Random;

use super::stage::{Stage, uploaded};

const EVENTS: usize = 1_000;
const EDITIONS: usize = 5;
const FUNCTIONS: usize = 3;
const KEY: &str = "crl/ca.crl";

#[test]
fn events_in_any_order_end_with_the_newest_crl_everywhere() -> Outcome {
    let stage = Stage::new(EDITIONS)?;
    stage.certify(KEY)?;
    stage.upload(0, KEY)?;
    let indexes: Vec<_> =
        (0..EDITIONS).map(|edition| stage.made_of(edition, ".crlx")).collect::<Result<_, _>>()?;
    let mut functions: Vec<Function> =
        (0..FUNCTIONS).map(|_| Function::start(&stage.s3.environment())).collect::<Result<_, _>>()?;
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = Random::new(seed);
    // No edition is sure to be seen before another one takes its place, until the newest one was published once.
    let newest_at = EVENTS / 2;
    let (mut sent, mut newest_seen) = (vec![0; FUNCTIONS], 0);
    for event in 0..EVENTS {
        if event == newest_at {
            stage.upload(EDITIONS - 1, KEY)?;
            settle(&mut functions, &mut sent)?;
            functions[0].invoke(&uploaded(&[KEY]))?.done()?;
        } else if random.below(4) == 0 {
            stage.upload(random.below(EDITIONS), KEY)?;
        }
        let function = random.below(FUNCTIONS);
        functions[function].send(&uploaded(&[KEY]));
        sent[function] += 1;
        if event % 20 == 0 {
            settle(&mut functions, &mut sent)?;
            let there = stage.s3.get(&format!("{KEY}.crlx"))?;
            let edition =
                indexes.iter().position(|index| *index == there).expect("the whole index of an edition");
            assert!(edition >= newest_seen, "edition {newest_seen}, and then {edition}: seed {seed}");
            newest_seen = edition;
        }
    }
    settle(&mut functions, &mut sent)?;
    stage.assert_published(EDITIONS - 1, KEY)
}

/// Waits for all replies. Only an older CRL may be refused, and one in whose place there was another at each look: for that one there
/// is an event, too.
fn settle(functions: &mut [Function], sent: &mut [usize]) -> Outcome {
    for (function, sent) in functions.iter_mut().zip(sent) {
        for _ in 0..std::mem::take(sent) {
            let reply = function.reply()?;
            let expected =
                |error: &str| ["rollback: ", "another one each time"].iter().any(|why| error.contains(why));
            assert!(reply.error().is_none_or(expected), "{reply:?}");
        }
    }
    Ok(())
}
