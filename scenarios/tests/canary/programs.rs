//! What programs print of their settings: in their help, and when they cannot start.

use std::{
    collections::BTreeSet,
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use scenarios::stack::{Manifest, binary};

use crate::search::{Place, canary};

/// Names of the canaries that are written here.
pub(crate) const NAMES: &[&str] = &["setting"];

fn programs() -> Vec<(String, PathBuf)> {
    let shop = Manifest::of_the_shop();
    let own = shop.entries().iter().map(|entry| (entry.program.name().to_owned(), binary(entry).unwrap()));
    own.chain([("scenarios".to_owned(), PathBuf::from(env!("CARGO_BIN_EXE_scenarios")))]).collect()
}

/// Runs a program to its end, within a bound, without the variables of this process; gives what it printed.
#[expect(clippy::disallowed_methods, reason = "the pause between two looks at a condition, with a bound")]
fn run(binary: &Path, arguments: &[String], variables: &[(String, String)], folder: &Path) -> String {
    let path = folder.join(uuid::Uuid::new_v4().to_string());
    let (out, bound) = (File::create(&path).unwrap(), Instant::now() + Duration::from_secs(20));
    let mut command = Command::new(binary);
    command.args(arguments).env_clear().envs(variables.iter().cloned()).env("HOME", folder).current_dir(folder);
    command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
    let mut child = command.spawn().unwrap();
    let printed = || String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
    // One that goes on trying has said what there is to say; the provider needs nobody.
    let ends = if binary.ends_with("payment-gateway") { "serving HTTP" } else { "retrying" };
    let goes_on = |printed: &str| printed.contains(ends) || printed.contains("reconnecting");
    while child.try_wait().unwrap().is_none() && !goes_on(&printed()) && Instant::now() < bound {
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    child.wait().unwrap();
    printed()
}

/// The help of a program and of its commands, with every variable that they name set.
pub(crate) fn helps(folder: &Path) -> (Vec<Place>, BTreeSet<(String, String)>) {
    let (mut places, mut settings) = (Vec::new(), BTreeSet::new());
    for (name, binary) in programs() {
        let mut todo = vec![Vec::new()];
        if name == "payment" {
            // A command line of its own, which the service's does not name.
            todo.push(vec!["keys".to_owned()]);
        }
        while let Some(path) = todo.pop() {
            let asks: Vec<String> = path.iter().cloned().chain(["--help".to_owned()]).collect();
            let plain = run(&binary, &asks, &[], folder);
            assert!(plain.contains("Usage:"), "{name} {asks:?}: {plain}");
            let named: BTreeSet<String> = variables_in(&plain).collect();
            let set: Vec<_> = named.iter().map(|variable| (variable.clone(), canary("setting"))).collect();
            let what = format!("{name} {}", asks.join(" "));
            places.push(Place::new(what, run(&binary, &asks, &set, folder)));
            if path.is_empty() {
                settings.extend(named.into_iter().map(|variable| (name.clone(), variable)));
            }
            todo.extend(commands_in(&plain).map(|command| [&path[..], &[command]].concat()));
        }
    }
    (places, settings)
}

fn variables_in(help: &str) -> impl Iterator<Item = String> {
    help.split("[env: ").skip(1).filter_map(|rest| Some(rest.split([']', '=']).next()?.to_owned()))
}

fn commands_in(help: &str) -> impl Iterator<Item = String> {
    let commands = help.split("Commands:\n").nth(1).unwrap_or_default();
    let lines = commands.lines().take_while(|line| line.starts_with("  "));
    let names = lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned)
}

/// Variables that may hold a password, a key, a token, or a person's name.
fn is_secret(variable: &str) -> bool {
    ["URL", "KEY", "TOKEN", "PASSWORD", "USERNAME"].iter().any(|word| variable.contains(word))
        && !["_FILE", "_DIR", "KEYRING"].iter().any(|word| variable.ends_with(word))
}

/// Start-ups with one bad secret each.
pub(crate) fn refusals(settings: &BTreeSet<(String, String)>, folder: &Path) -> Vec<Place> {
    let secret = canary("setting");
    let usual = |name: &str| {
        let usual = [
            ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"),
            ("DATABASE_URL_ORDERS", "postgres://nobody@127.0.0.1:1/none"),
            ("KAFKA_BROKERS", "127.0.0.1:1"),
            ("DATABASE_TIMEOUT_MS", "500"),
            ("HTTP_ADDR", "127.0.0.1:0"),
            ("GATEWAY_URL", "http://127.0.0.1:1"),
            ("RUST_LOG", "trace"),
            ("PATH", "/usr/bin"),
        ];
        let usual = usual.into_iter().filter(|(variable, _)| *variable != name);
        usual.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
    };
    let also = [("outbox-relay".to_owned(), "DATABASE_URL_ORDERS".to_owned())];
    let mut starts = Vec::new();
    for (program, binary) in programs().into_iter().filter(|(program, _)| program != "scenarios") {
        let own = settings.iter().chain(&also).filter(|(of, name)| *of == program && is_secret(name));
        for (_, variable) in own {
            let values = [
                secret.clone(),
                format!("postgres://user:{secret}@127.0.0.1:1/none"),
                format!("postgres://user:{secret}@127.0.0.1:none/none"),
                format!("postgres://127.0.0.1:1/none?pasword={secret}&password={secret}"),
                format!("postgres://user:a?{secret}={secret}@127.0.0.1:1/none"),
                format!("http://user:{secret}@127.0.0.1:1/{secret}?{secret}"),
                format!("http://user:{secret}@host:port"),
                format!("smtp://user:{secret}@127.0.0.1:25"),
            ];
            let variables = values.map(|value| [usual(variable), vec![(variable.clone(), value)]].concat());
            let name = format!("{program} with {variable}");
            starts.extend(variables.map(|variables| (name.clone(), binary.clone(), variables)));
        }
    }
    at_once(starts, |(name, binary, variables)| Place::new(name, run(&binary, &[], &variables, folder)))
}

/// Does several things at the same time, as most of them wait.
fn at_once<T: Send, R: Send>(all: Vec<T>, each: impl Fn(T) -> R + Sync) -> Vec<R> {
    let (todo, done) = (Mutex::new(all), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                while let Some(one) = { todo.lock().unwrap().pop() } {
                    let result = each(one);
                    done.lock().unwrap().push(result);
                }
            });
        }
    });
    done.into_inner().unwrap()
}
