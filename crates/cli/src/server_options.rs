//! Which server to use, and the user to log in as. Options win over the environment, and the environment
//! wins over `.env`.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bolt::message::Secret;
use lab::ServerChoice;
use net::Target;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct ServerOptions {
    /// The server, for example bolt://localhost:7687 [env: NEO4J_URI]
    #[arg(long)]
    uri: Option<String>,
    #[command(flatten)]
    login: LoginOptions,
}

/// The user to log in as.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct LoginOptions {
    /// User name [env: NEO4J_USERNAME] [default: neo4j]
    #[arg(long)]
    user: Option<String>,
    /// Password; better given in the environment, where `ps` does not show it [env: NEO4J_PASSWORD]
    #[arg(long)]
    password: Option<Secret>,
    /// Database [env: NEO4J_DATABASE] [default: the user's home database]
    #[arg(long)]
    database: Option<String>,
}

/// A server with everything that is needed to log in.
#[derive(Debug)]
pub struct NamedServer {
    pub target: Target,
    pub user: String,
    pub password: Secret,
    pub database: Option<String>,
}

impl From<NamedServer> for ServerChoice {
    fn from(server: NamedServer) -> Self {
        let NamedServer { target, user, password, database } = server;
        Self::Neo4j { target, user, password, database }
    }
}

impl ServerOptions {
    /// `None` if no URI is given anywhere.
    pub fn resolve(&self) -> Result<Option<NamedServer>> {
        let settings = Environment::read()?;
        let Some(uri) = settings.find(self.uri.as_deref(), "NEO4J_URI") else {
            if self.login.is_given() {
                bail!("--user, --password and --database go with --uri");
            }
            return Ok(None);
        };
        let whence = settings.whence(self.uri.as_deref(), "--uri", "NEO4J_URI");
        let target: Target = uri.parse().context(whence)?;
        let (user, password, database) = self.login.find(&settings)?;
        Ok(Some(NamedServer { target, user, password, database }))
    }
}

impl LoginOptions {
    /// User, password and database.
    pub fn resolve(&self) -> Result<(String, Secret, Option<String>)> {
        self.find(&Environment::read()?)
    }

    fn find(&self, settings: &Environment) -> Result<(String, Secret, Option<String>)> {
        let user = settings.find(self.user.as_deref(), "NEO4J_USERNAME");
        let password = self.password.as_ref().map(|password| password.expose());
        let password = settings.find(password, "NEO4J_PASSWORD").map(Secret::from);
        Ok((
            user.unwrap_or_else(|| "neo4j".into()),
            password.context("no password; set NEO4J_PASSWORD or give --password")?,
            settings.find(self.database.as_deref(), "NEO4J_DATABASE"),
        ))
    }

    fn is_given(&self) -> bool {
        self.user.is_some() || self.password.is_some() || self.database.is_some()
    }
}

/// Environment variables, and the file `.env` for those that are not set.
struct Environment {
    file: HashMap<String, String>,
}

impl Environment {
    fn read() -> Result<Self> {
        Ok(Self { file: dotenv(Path::new(".env"))? })
    }

    /// The value of an option, else of the variable, else the one in the file. An empty value counts as
    /// none.
    fn find(&self, option: Option<&str>, name: &str) -> Option<String> {
        let found = option
            .map(str::to_owned)
            .or_else(|| std::env::var(name).ok())
            .or_else(|| self.file.get(name).cloned());
        found.filter(|value| !value.is_empty())
    }

    /// What [`Environment::find`] has taken a value from, in words.
    fn whence(&self, option: Option<&str>, option_name: &str, name: &str) -> String {
        match (option, std::env::var(name)) {
            (Some(_), _) => option_name.into(),
            (None, Ok(_)) => format!("{name} in the environment"),
            (None, Err(_)) => format!("{name} in .env"),
        }
    }
}

/// The `NEO4J_` entries of a file, if there is one. What else is in it is somebody else's, whatever it
/// looks like.
fn dotenv(path: &Path) -> Result<HashMap<String, String>> {
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(HashMap::new()),
        text => text.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let mut found = HashMap::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let entry = line.trim_ascii();
        let entry = entry.strip_prefix(b"export ").unwrap_or(entry).trim_ascii_start();
        if !entry.starts_with(b"NEO4J_") {
            continue;
        }
        // The error would quote the line, which may hold a password.
        let Some(Ok((name, value))) = dotenvy::from_read_iter(entry).next() else {
            bail!(
                "line {} of {} can't be read: write NAME=value, with quotes around a value that has \
                 spaces or # in it",
                index + 1,
                path.display()
            );
        };
        found.insert(name, value);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<HashMap<String, String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        std::fs::write(&path, text).unwrap();
        dotenv(&path)
    }

    #[test]
    fn a_line_that_is_not_for_us_never_stops_us() {
        let found =
            read(b"# c\nhunter2 is mine\n\xFF\xFE\nA='\nexport NEO4J_URI='bolt://h'\r\nB=${\n");
        let found = found.unwrap();
        assert_eq!((found.len(), found["NEO4J_URI"].as_str()), (1, "bolt://h"));
        assert!(dotenv(Path::new("/nonexistent/.env")).unwrap().is_empty());
    }

    #[test]
    fn a_broken_line_is_named_by_its_number_and_not_quoted() {
        let error =
            read(b"NEO4J_URI=bolt://h\n\nNEO4J_PASSWORD hunter2 x\n").unwrap_err().to_string();
        assert!(error.contains("line 3 of") && !error.contains("hunter2"), "{error}");
    }
}
