//! Airflow's settings, all in the environment. What is not set here keeps Airflow's own default, because
//! the measured Airflow should be the one that users have.

use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

use super::options::{Executor, Login, Options};
use super::start::WORKERS;
use super::stores::Stores;
use crate::installation::Installation;
use crate::service::Environment;
use crate::version::Version;

pub(super) fn environment(
    options: &Options,
    installation: &Installation,
    stores: &Stores,
    login: &Login,
    home: &Path,
    port: u16,
) -> Result<Environment> {
    let mut environment = Environment::clean();
    set_places(&mut environment, installation, home)?;
    set_core(&mut environment, options);
    set_stores(&mut environment, stores);
    match options.version {
        Version::V2_8_1 => set_version_2(&mut environment, login)?,
        Version::V3_3_2 => set_version_3(&mut environment, login, home, port)?,
    }
    for (name, value) in &options.variables {
        environment.set(name, value);
    }
    Ok(environment)
}

fn set_places(
    environment: &mut Environment,
    installation: &Installation,
    home: &Path,
) -> Result<()> {
    let mut set = |name: &str, value: &str| environment.set(name, value);
    set("AIRFLOW_HOME", &home.to_string_lossy());
    // Elsewhere, the files that Airflow's web server caches would be left when it has ended.
    let temporary = home.join("tmp");
    std::fs::create_dir_all(&temporary)?;
    set("TMPDIR", &temporary.to_string_lossy());
    // Airflow finds its own programs through PATH.
    let path = std::env::var("PATH").unwrap_or_default();
    set("PATH", &format!("{}:{path}", installation.bin().display()));
    set("PYTHONDONTWRITEBYTECODE", "1");
    set("PYTHONUNBUFFERED", "1");
    Ok(())
}

fn set_core(environment: &mut Environment, options: &Options) {
    let mut set = |name: &str, value: &str| environment.set(name, value);
    set("AIRFLOW__CORE__DAGS_FOLDER", &options.folder.join("dags").to_string_lossy());
    set("AIRFLOW__LOGGING__BASE_LOG_FOLDER", &options.folder.join("logs/tasks").to_string_lossy());
    set("AIRFLOW__LOGGING__LOGGING_LEVEL", "INFO");
    set("AIRFLOW__CORE__LOAD_EXAMPLES", "False");
    set("AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION", "True");
    set("AIRFLOW__CORE__EXECUTOR", &options.executor.to_string());
    set("AIRFLOW__CORE__PARALLELISM", &options.parallelism.to_string());
    // Every task needs a slot. There are no fewer than Airflow has by default.
    let slots = options.parallelism.max(DEFAULT_POOL_SLOTS);
    set("AIRFLOW__CORE__DEFAULT_POOL_TASK_SLOT_COUNT", &slots.to_string());
    // Airflow's parts talk to each other over loopback, which must not go through a proxy.
    set("NO_PROXY", "127.0.0.1,localhost");
    set("no_proxy", "127.0.0.1,localhost");
    // Airflow 3 would report how it is used to a server on the internet.
    set("AIRFLOW__USAGE_DATA_COLLECTION__ENABLED", "False");
    if options.executor == Executor::Celery {
        let concurrency = options.parallelism.div_ceil(WORKERS.len());
        set("AIRFLOW__CELERY__WORKER_CONCURRENCY", &concurrency.to_string());
    }
}

fn set_stores(environment: &mut Environment, stores: &Stores) {
    let mut set = |name: &str, value: &str| environment.set(name, value);
    if let Some(database) = &stores.database {
        set("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", database);
        set("AIRFLOW__CELERY__RESULT_BACKEND", &format!("db+{database}"));
    }
    if let Some(broker) = &stores.broker {
        set("AIRFLOW__CELERY__BROKER_URL", broker);
    }
}

fn set_version_2(environment: &mut Environment, login: &Login) -> Result<()> {
    let mut set = |name: &str, value: &str| environment.set(name, value);
    set("AIRFLOW__WEBSERVER__SECRET_KEY", &secret()?);
    set("AIRFLOW__WEBSERVER__BASE_URL", &login.url);
    set("BOLTBOUNCER_AIRFLOW_USER", &login.user);
    set("BOLTBOUNCER_AIRFLOW_PASSWORD", &login.password);
    let backends = ["basic_auth", "session"].map(|name| format!("airflow.api.auth.backend.{name}"));
    set("AIRFLOW__API__AUTH_BACKENDS", &backends.join(","));
    Ok(())
}

fn set_version_3(
    environment: &mut Environment,
    login: &Login,
    home: &Path,
    port: u16,
) -> Result<()> {
    let mut set = |name: &str, value: &str| environment.set(name, value);
    let passwords = home.join("passwords.json");
    let content = serde_json::json!({ &login.user: login.password });
    std::fs::write(&passwords, content.to_string())?;
    set("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", &format!("{}:admin", login.user));
    set("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", &passwords.to_string_lossy());
    set("AIRFLOW__API__SECRET_KEY", &secret()?);
    set("AIRFLOW__API__BASE_URL", &login.url);
    set("AIRFLOW__API__PORT", &port.to_string());
    set("AIRFLOW__API_AUTH__JWT_SECRET", &secret()?);
    set("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", &format!("{}/execution/", login.url));
    Ok(())
}

const DEFAULT_POOL_SLOTS: usize = 128;

/// 32 random bytes in hexadecimal digits.
pub(super) fn secret() -> Result<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
