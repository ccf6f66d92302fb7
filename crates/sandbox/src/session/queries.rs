//! Transactions, queries, results and routing tables.

use bolt::chunk::payload;
use bolt::failure::code;
use bolt::message::{Route, Stream, TransactionExtra, tag};
use bolt::{Dictionary, Failure, Piece, Request, ServerState, Value};
use bytes::BytesMut;

use super::{End, Session};
use crate::values::map_from_bolt;
use crate::work::{Pulled, Ran, Taking, Work, WorkKind, check_bookmarks};

/// Records that were pulled before they were asked for, with how that ended.
pub(super) type Prefetched = (Result<Pulled, Failure>, BytesMut);

impl Session {
    /// A standalone Neo4j names the address that the client dialled, for all three roles.
    pub(super) fn route(&mut self, route: Route) -> Result<(), End> {
        let database = match self.shared.database(route.database.as_deref()) {
            Ok((name, _)) => name,
            Err(failure) => {
                self.failure(&failure);
                self.fail();
                return Ok(());
            }
        };
        let own = self.shared.address.to_string();
        let address = route.routing.str("address").unwrap_or(&own).to_owned();
        let role = |role: &str| {
            let server =
                Dictionary::new().with("addresses", vec![address.as_str()]).with("role", role);
            Value::Dictionary(server)
        };
        let servers = Value::List(["WRITE", "READ", "ROUTE"].map(role).into());
        let table = Dictionary::new()
            .with("ttl", ROUTING_TTL_S)
            .with("db", database)
            .with("servers", servers);
        self.success(Dictionary::new().with("rt", table));
        Ok(())
    }

    pub(super) async fn begin(&mut self, extra: TransactionExtra) -> Result<(), End> {
        if let Err(failure) = self.open_work(&extra, WorkKind::Explicit) {
            return self.refuse(failure).await;
        }
        self.state = ServerState::TxReady;
        let mut metadata = Dictionary::new();
        self.name_database(&mut metadata);
        self.success(metadata);
        Ok(())
    }

    fn open_work(&mut self, extra: &TransactionExtra, kind: WorkKind) -> Result<(), Failure> {
        let (name, database) = self.shared.database(extra.database.as_deref())?;
        if extra.impersonated_user.is_some() {
            return Err(Failure::new(
                code::ARGUMENT,
                "Impersonation is not supported in community edition.",
            ));
        }
        check_bookmarks(&extra.bookmarks)?;
        let metadata = map_from_bolt(extra.metadata.clone(), self.dialect);
        let metadata = metadata.map_err(|error| crate::failure::of(&error))?;
        let thread = self.shared.transactions.clone().try_acquire_owned().map_err(|_| {
            let message =
                "There are insufficient threads available for executing the current task.";
            Failure::new(code::NO_THREADS, message)
        })?;
        let memory_max = self.shared.engine.settings.transaction_memory_max;
        self.work = Some(Work::new(&database, extra, name, kind, thread, memory_max));
        self.entry.begin(name, metadata);
        Ok(())
    }

    /// After a refusal for want of threads Neo4j closes the connection.
    async fn refuse(&mut self, failure: Failure) -> Result<(), End> {
        self.failure(&failure);
        if failure.code == code::NO_THREADS {
            return self.close(End::Refused).await;
        }
        self.fail();
        Ok(())
    }

    pub(super) async fn run_query(
        &mut self,
        query: String,
        parameters: Dictionary,
        extra: TransactionExtra,
    ) -> Result<(), End> {
        let kind =
            if self.state.is_in_transaction() { WorkKind::Explicit } else { WorkKind::AutoCommit };
        if kind == WorkKind::AutoCommit
            && let Err(failure) = self.open_work(&extra, kind)
        {
            return self.refuse(failure).await;
        }
        self.entry.running(&query);
        let follow = self.following_pull();
        let (engine, dialect) = (self.shared.engine.clone(), self.dialect);
        let outcome = self
            .job(move |work| {
                let ran = work.run(&query, parameters, &engine, dialect)?;
                let mut records = BytesMut::new();
                let pulled =
                    follow.map(|stream| work.take(stream, Taking::Pull, &mut records, dialect));
                Ok((ran, pulled.map(|pulled| (pulled, records))))
            })
            .await?;
        let (ran, first) = match outcome {
            Ok(outcome) => outcome,
            Err(failure) => return self.refuse(failure).await,
        };
        self.ran(ran, kind);
        match (follow, first) {
            (Some(stream), Some(first)) => {
                self.inbox.pop();
                self.pull(stream, Some(first)).await
            }
            _ => Ok(()),
        }
    }

    /// A PULL that came with its RUN saves a second way to the engine and back.
    fn following_pull(&self) -> Option<Stream> {
        let next = self.inbox.front().filter(|_| self.inbox.resets == 0)?;
        let Piece::Message { tag: tag::PULL, wire } = next else { return None };
        match Request::decode(&payload(wire), self.dialect.version) {
            Ok(Request::Pull(stream)) => Some(stream),
            _ => None,
        }
    }

    fn ran(&mut self, ran: Ran, kind: WorkKind) {
        let columns: Vec<&str> = ran.columns.iter().map(|column| &**column).collect();
        let mut metadata =
            Dictionary::new().with("t_first", ran.milliseconds).with("fields", columns);
        if kind == WorkKind::Explicit {
            metadata.push("qid", ran.qid);
            self.state = ServerState::TxStreaming;
        } else {
            self.name_database(&mut metadata);
            self.state = ServerState::Streaming;
        }
        self.success(metadata);
    }

    /// From Bolt 5.8 the server says which database it took when the client named none.
    fn name_database(&self, metadata: &mut Dictionary) {
        let Some(work) = &self.work else { return };
        if self.dialect.version.has_resolved_database() && !work.has_named_database {
            metadata.push("db", work.database.as_str());
        }
    }

    /// Sends records until there are enough; `first` is what was pulled beforehand.
    pub(super) async fn pull(
        &mut self,
        stream: Stream,
        first: Option<Prefetched>,
    ) -> Result<(), End> {
        self.take_records(stream, Taking::Pull, first).await
    }

    pub(super) async fn discard(&mut self, stream: Stream) -> Result<(), End> {
        self.take_records(stream, Taking::Discard, None).await
    }

    async fn take_records(
        &mut self,
        mut stream: Stream,
        taking: Taking,
        mut first: Option<Prefetched>,
    ) -> Result<(), End> {
        loop {
            let (taken, records) = match first.take() {
                Some(first) => first,
                None => self.records(stream, taking).await?,
            };
            self.connection.wire.forward(records);
            match taken {
                Ok(Pulled::BufferFull { left }) => {
                    self.flush().await?;
                    stream.records = left;
                }
                Ok(Pulled::HasMore) => {
                    self.success(Dictionary::new().with("has_more", true));
                    return Ok(());
                }
                Ok(Pulled::Over(summary)) => {
                    self.result_is_over().await;
                    self.success(summary);
                    return Ok(());
                }
                Err(failure) => return self.refuse(failure).await,
            }
        }
    }

    async fn records(&mut self, stream: Stream, taking: Taking) -> Result<Prefetched, End> {
        let dialect = self.dialect;
        let taken = self
            .job(move |work| {
                let mut records = BytesMut::new();
                let taken = work.take(stream, taking, &mut records, dialect);
                // The records before a failure are the client's.
                Ok((taken, records))
            })
            .await?;
        Ok(taken.unwrap_or_else(|failure| (Err(failure), BytesMut::new())))
    }

    async fn result_is_over(&mut self) {
        let Some(work) = &self.work else { return };
        if work.kind == WorkKind::AutoCommit {
            self.end_work().await;
            self.state = ServerState::Ready;
        } else if !work.has_results() {
            self.entry.idle();
            self.state = ServerState::TxReady;
        }
    }

    pub(super) async fn commit(&mut self) -> Result<(), End> {
        match self.job(Work::commit).await? {
            Ok(bookmark) => {
                self.end_work().await;
                self.state = ServerState::Ready;
                self.success(Dictionary::new().with("bookmark", bookmark));
                Ok(())
            }
            Err(failure) => self.refuse(failure).await,
        }
    }
}

const ROUTING_TTL_S: i64 = 300;
