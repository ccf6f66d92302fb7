//! The wait for an upstream connection. The client is listened to meanwhile: it may change its mind
//! or leave, and it is told now and then that the connection is alive.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bolt::Failure;
use bolt::chunk::NOOP;
use tokio::time::{Instant, sleep_until};

use crate::failures;
use crate::metrics::Fault;
use crate::pool::{Acquired, Answer, Lease, Ticket};
use crate::session::{End, Session};

/// Why a unit of work is not carried out. Nothing of it has been passed on.
pub(super) enum NoLease {
    /// The client sent RESET.
    Cancelled,
    Refused(Failure),
}

pub(super) async fn acquire(session: &mut Session) -> Result<Result<Lease, NoLease>, End> {
    let (Some(member), Some(class)) = (&session.member, &session.class) else {
        return Err(End::Protocol("not_logged_in"));
    };
    let (pool, class) = (member.pool.clone(), class.clone());
    let began = Instant::now();
    loop {
        let acquired = match pool.acquire(&class) {
            Acquired::Ready(lease) => Ok(lease),
            Acquired::Waiting(ticket) => Box::pin(wait(session, ticket, began)).await?,
            Acquired::QueueFull { waiting } => {
                session.shared.metrics().error(Fault::Pooler, "max_waiting_clients");
                pool.complain(waiting);
                Err(NoLease::Refused(failures::queue_full(waiting)))
            }
            Acquired::Refused(failure) => answered(session, Answer::Refused(failure)),
        };
        let shared = &session.shared;
        match acquired {
            Err(no_lease) => return Ok(Err(no_lease)),
            Ok(mut lease) => {
                let limits = shared.limits();
                let mut waited = began.elapsed();
                let idle = (began + waited).duration_since(lease.idle_since());
                let check = limits.liveness_check_timeout.limit().is_some_and(|limit| idle > limit);
                let patience = limits.connection_timeout.0.min(PROBE_TIMEOUT);
                if check {
                    if !Box::pin(lease.probe(patience)).await {
                        shared.metrics().error(Fault::Upstream, "liveness_check");
                        // What killed this one has most likely killed those that rested with it.
                        pool.drop_idle_since(lease.idle_since());
                        lease.discard();
                        continue;
                    }
                    waited = began.elapsed();
                }
                shared.metrics().acquired(waited);
                return Ok(Ok(lease));
            }
        }
    }
}

async fn wait(
    session: &mut Session,
    mut ticket: Ticket,
    began: Instant,
) -> Result<Result<Lease, NoLease>, End> {
    let limits = session.shared.limits();
    let limit = limits.connection_acquisition_timeout.0;
    let interval = limits.keep_alive_interval.0;
    let deadline = began + limit;
    let mut next_noop = Instant::now() + interval;
    let mut alarm = Box::pin(sleep_until(deadline.min(next_noop)));
    let shared = session.shared.clone();
    let mut draining = std::pin::pin!(shared.draining());
    loop {
        let event = poll_fn(|cx| {
            if let Poll::Ready(answer) = std::pin::Pin::new(&mut ticket).poll(cx) {
                return Poll::Ready(Ok(Event::Answer(answer)));
            }
            let _ = session.client.poll_flush(cx)?;
            if !session.inbox.is_full()
                && let Poll::Ready(filled) = session.client.poll_fill(cx)
            {
                return Poll::Ready(filled.map(|()| Event::Input));
            }
            if draining.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(Event::Draining));
            }
            alarm.as_mut().poll(cx).map(|()| Ok(Event::Alarm))
        });
        match event.await? {
            Event::Answer(answer) => return Ok(answered(session, answer)),
            Event::Input => {
                session.take_in()?;
                if session.inbox.resets > 0 {
                    return Ok(Err(NoLease::Cancelled));
                }
            }
            Event::Draining => return Ok(Err(NoLease::Refused(failures::draining()))),
            Event::Alarm => {
                let now = Instant::now();
                if now >= deadline {
                    session.shared.metrics().error(Fault::Pooler, "connection_acquisition_timeout");
                    let waiting = ticket.waiting();
                    ticket.pool.complain(waiting);
                    let failure = failures::acquisition_timed_out(limit, waiting);
                    return Ok(Err(NoLease::Refused(failure)));
                }
                if now >= next_noop {
                    session.client.output.extend_from_slice(&NOOP);
                    next_noop = now + interval;
                }
                alarm.as_mut().reset(deadline.min(next_noop));
            }
        }
    }
}

enum Event {
    Answer(Answer),
    Input,
    Draining,
    Alarm,
}

fn answered(session: &Session, answer: Answer) -> Result<Lease, NoLease> {
    let metrics = session.shared.metrics();
    match answer {
        Answer::Ready(lease) => Ok(lease),
        Answer::Unavailable(why) => {
            metrics.error(Fault::Upstream, "unavailable");
            Err(NoLease::Refused(failures::unavailable(why)))
        }
        Answer::Refused(failure) => {
            metrics.error(Fault::Upstream, "credential_refused");
            Err(NoLease::Refused(failure))
        }
    }
}

/// How long a connection that was idle may take to show that it is alive.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
