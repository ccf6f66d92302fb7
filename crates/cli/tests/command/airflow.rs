//! Airflow as the command sees it: how it is installed, what a failed start leaves behind, and how to get the
//! disk back. The Pythons and the Airflow in here are scripts; `scripts/test-airflow` runs the real ones.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::results::{assert_fits_the_schema, results, run_folder};
use crate::support::boltbouncer;

const INSTALLATION: &str = "airflow-3.3.2-python3.11";

/// A folder with a Python that makes environments in which Airflow fails, and a cache of its own.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(machine.path("bin")).unwrap();
        machine.script("bin/fake-python", PYTHON);
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn installation(&self) -> PathBuf {
        self.path("cache/boltbouncer").join(INSTALLATION)
    }

    fn script(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = boltbouncer(self.folder.path());
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.env("XDG_CACHE_HOME", self.path("cache")).env("SAID", self.path("said"));
        command
    }

    fn lab(&self) -> Output {
        let words = ["lab", "--engine", "airflow", "--tasks", "2", "--pattern", "problematic"];
        let mut command = self.command();
        command.args(words).args(["--airflow-python", "fake-python"]);
        command.env("AIRFLOW__CORE__PARALLELISM", "3").env("AIRFLOW__CORE__EXECUTOR", "Mine");
        command.output().unwrap()
    }

    fn clean(&self) -> Output {
        self.command().args(["airflow", "--clean"]).output().unwrap()
    }
}

/// Says its version, makes an environment, and as pip notes what it was asked for.
const PYTHON: &str = r#"
case "$1 $2 $3" in
  -c*) echo 3.11 ;;
  "-m venv"*)
    for folder; do :; done
    mkdir -p "$folder/bin"
    cp "$0" "$folder/bin/python"
    cat > "$folder/bin/airflow" <<'END'
#!/bin/sh
echo "executor $AIRFLOW__CORE__EXECUTOR, parallelism $AIRFLOW__CORE__PARALLELISM"
echo 'Traceback (most recent call last):'
echo '  File "db.py", line 7, in migrate'
echo 'sqlalchemy.exc.OperationalError: no <room> left'
exit 1
END
    chmod +x "$folder/bin/airflow" ;;
  "-m pip install") echo "pip $*" >> "$SAID" ;;
esac
"#;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn an_airflow_that_does_not_start_says_why_and_leaves_logs_and_a_page() {
    let machine = Machine::new();
    machine.script("bin/uv", "echo \"uv $*\" >> \"$SAID\"");
    let output = machine.lab();
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    for expected in [
        "passed on to Airflow: AIRFLOW__CORE__PARALLELISM=3",
        "takes only time-outs, retries and limits: AIRFLOW__CORE__EXECUTOR",
        " s  making Airflow's tables",
        "airflow db migrate failed",
        "\n    sqlalchemy.exc.OperationalError: no <room> left",
        "its log is ",
    ] {
        assert!(stderr.contains(expected), "{expected} is not in {stderr}");
    }
    assert!(!stderr.contains("Traceback"), "{stderr}");

    let out = machine.path("boltbouncer-lab");
    let results = results(&out);
    assert_fits_the_schema(&results);
    assert_eq!(results["interrupted"], false);
    assert!(
        results["failed"].as_str().unwrap().contains("no <room> left"),
        "{}",
        results["failed"]
    );
    let run = run_folder(&out);
    let page = read(run.join("report.html"));
    assert!(page.contains("This run failed") && page.contains("no &lt;room&gt; left"), "{page}");
    assert!(!page.contains("parallel tasks, "), "nothing ran, and the page must not say so");
    let log = read(run.join("airflow/logs/set-up.log"));
    assert!(log.contains("executor LocalExecutor, parallelism 3"), "{log}");
}

#[test]
fn uv_installs_the_packages_if_it_is_there() {
    let machine = Machine::new();
    machine.script("bin/uv", "echo \"uv $*\" >> \"$SAID\"");
    let stderr = text(&machine.lab().stderr);
    assert!(stderr.contains("packages with uv") && !stderr.contains("with pip"), "{stderr}");
    let said = read(machine.path("said"));
    assert!(said.starts_with("uv pip install") && !said.contains("\npip"), "{said}");
    assert!(machine.installation().join("requirements.txt").exists());
    let again = text(&machine.lab().stderr);
    assert!(!again.contains("installing"), "it is there already: {again}");
}

#[test]
fn pip_takes_over_if_uv_fails() {
    let machine = Machine::new();
    machine.script("bin/uv", "echo 'error: no such index'; exit 2");
    let stderr = text(&machine.lab().stderr);
    let expected =
        ["packages with uv", "pip takes over", "error: no such index", "packages with pip"];
    assert!(expected.iter().all(|words| stderr.contains(words)), "{stderr}");
    assert!(read(machine.path("said")).starts_with("pip -m pip install"));
    assert!(machine.installation().join("requirements.txt").exists());
}

#[test]
fn cleaning_removes_installations_unless_one_is_in_use() {
    let machine = Machine::new();
    fs::create_dir_all(machine.installation()).unwrap();
    fs::write(machine.installation().join("large"), vec![1; 2_000_000]).unwrap();
    let lock = machine.path("cache/boltbouncer").join(format!("{INSTALLATION}.lock"));
    let in_use = File::create(&lock).unwrap();
    in_use.lock_shared().unwrap();
    let refused = machine.clean();
    let stderr = text(&refused.stderr);
    assert!(!refused.status.success() && stderr.contains("is in use"), "{stderr}");
    assert!(machine.installation().join("large").exists());

    drop(in_use);
    let cleaned = machine.clean();
    let stdout = text(&cleaned.stdout);
    assert!(
        cleaned.status.success() && stdout.contains(&format!("removed {INSTALLATION}")),
        "{stdout}"
    );
    let bytes = stdout.split("The disk has ").nth(1).unwrap().split(' ').next().unwrap();
    assert!((2_000_000..2_100_000).contains(&bytes.parse().unwrap()), "{stdout}");
    assert!(!machine.installation().exists());
    assert!(text(&machine.clean().stdout).contains("No version of Airflow is installed"));
}

#[test]
fn cleaning_goes_with_no_option_for_starting() {
    let machine = Machine::new();
    let words = ["airflow", "--clean", "--airflow-version", "2.8.1"];
    let refused = machine.command().args(words).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
}
