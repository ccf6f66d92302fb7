//! One unit of work on one connection. Each query has a token, and its answer must be that token.

use std::time::Duration;

use bolt::message::TransactionExtra;
use bolt::{Dictionary, Value};
use client::{ClientError, Connection, Table};

use crate::ledger::{Fate, Ledger, Violation};

pub struct Visit<'a> {
    pub ledger: &'a Ledger,
    pub connection: &'a mut Connection,
    pub token: String,
}

impl Visit<'_> {
    /// Asks for the token in so many records.
    pub async fn ask(&mut self, records: usize) -> Result<(), ClientError> {
        let token = self.token.clone();
        let query = format!("UNWIND range(1, {records}) AS i RETURN $token + i AS x");
        let table = self.run(&query, &token).await?;
        let is_own = |(row, number): (&Vec<Value>, usize)| {
            row[..] == [Value::from(format!("{token}{number}"))]
        };
        self.judge(&table, table.rows.len() == records && table.rows.iter().zip(1..).all(is_own));
        Ok(())
    }

    /// Asks several times in one transaction, and rests after each answer.
    pub async fn ask_in_transaction(
        &mut self,
        times: usize,
        rest: Duration,
    ) -> Result<(), ClientError> {
        self.begin().await?;
        for _ in 0..times {
            self.ask(1).await?;
            tokio::time::sleep(rest).await;
        }
        self.connection.commit().await.inspect_err(|error| self.ledger.tell(&self.token, error))
    }

    /// Creates a node with the token in a transaction, and keeps what became of it.
    pub async fn write(&mut self, rest: Duration) -> Result<(), ClientError> {
        let outcome = self.write_in_transaction(rest).await;
        let (fate, outcome) = match outcome {
            Err(error) => (Fate::NotDone, Err(error)),
            Ok(Ok(())) => (Fate::Done, Ok(())),
            Ok(Err(error)) => (fate(&error), Err(error)),
        };
        self.ledger.decide(self.token.clone(), fate);
        outcome
    }

    /// The outer error came before COMMIT was sent, the inner one after.
    async fn write_in_transaction(
        &mut self,
        rest: Duration,
    ) -> Result<Result<(), ClientError>, ClientError> {
        self.begin().await?;
        self.create().await?;
        tokio::time::sleep(rest).await;
        let commit = self.connection.commit().await;
        Ok(commit.inspect_err(|error| self.ledger.tell(&self.token, error)))
    }

    /// Likewise, by an auto-commit query.
    pub async fn write_at_once(&mut self) -> Result<(), ClientError> {
        let outcome = self.create().await;
        let fate = outcome.as_ref().map_or_else(fate, |()| Fate::Done);
        self.ledger.decide(self.token.clone(), fate);
        outcome
    }

    /// Begins to write what must never be there.
    pub async fn abandon(&mut self) -> Result<(), ClientError> {
        self.begin().await?;
        let query = "CREATE (n:Mark {token: 'abandoned'})";
        self.connection.run_in_transaction(query).await.map(drop)
    }

    /// A failure on the way must not hurt what comes next.
    pub async fn fail(&mut self) -> Result<(), ClientError> {
        let words = match self.connection.run_in_transaction("RETRUN 1").await {
            Ok(table) => format!("{}: nonsense was answered with {table:?}", self.token),
            Err(error) if error.code().is_none_or(|code| !code.ends_with("SyntaxError")) => {
                self.ledger.tell(&self.token, &error);
                return Err(error);
            }
            Err(_) => return Ok(()),
        };
        self.ledger.violate(Violation::Mismatch, words);
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), ClientError> {
        let begun = self.connection.begin(TransactionExtra::default()).await;
        begun.inspect_err(|error| self.ledger.tell(&self.token, error))
    }

    async fn create(&mut self) -> Result<(), ClientError> {
        let token = self.token.clone();
        let table = self.run("CREATE (n:Mark {token: $token}) RETURN n.token AS x", &token).await?;
        let is_own = table.rows.len() == 1 && table.rows[0][..] == [Value::from(token)];
        self.judge(&table, is_own);
        Ok(())
    }

    async fn run(&mut self, query: &str, token: &str) -> Result<Table, ClientError> {
        self.ledger.ask();
        let parameters = Dictionary::new().with("token", token);
        let table = self.connection.run(query, parameters, TransactionExtra::default()).await;
        table.inspect_err(|error| self.ledger.tell(&self.token, error))
    }

    fn judge(&self, table: &Table, is_own: bool) {
        if is_own {
            self.ledger.answer();
        } else {
            let words = format!("{} got {:.300}", self.token, format!("{:?}", table.rows));
            self.ledger.violate(Violation::Mismatch, words);
        }
    }
}

fn fate(error: &ClientError) -> Fate {
    match error {
        ClientError::Server(_) => Fate::NotDone,
        _ => Fate::Unknown,
    }
}
