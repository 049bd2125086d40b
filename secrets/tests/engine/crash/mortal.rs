//! A store as a process sees it that may die before and after each durable write.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rolecall_core::{CredentialsError, ErrorKind, Result};
use rolecall_secrets::{
    AuditEntry, Change, Claimant, DynamicSecret, Lease, LeaseFilter, LeaseId, NewLease, Record,
    Store, StoreInfo, StoredSecret, TrailFlaw,
};

use super::door::Process;

#[derive(Debug)]
pub(crate) struct Mortal {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) process: Arc<Process>,
}

impl Mortal {
    async fn write<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        self.process.step().await;
        let written = write.await;
        self.process.step().await;
        if self.process.loses_reply() { Err(lost()) } else { written }
    }
}

#[async_trait]
impl Store for Mortal {
    async fn info(&self) -> Result<StoreInfo> {
        self.inner.info().await
    }

    async fn now(&self) -> Result<SystemTime> {
        self.inner.now().await
    }

    fn has_machines_clock(&self) -> bool {
        self.inner.has_machines_clock()
    }

    async fn accept_restored(&self, record: &Record) -> Result<StoreInfo> {
        self.inner.accept_restored(record).await
    }

    async fn create_secret(&self, secret: &DynamicSecret, record: &Record) -> Result<()> {
        self.inner.create_secret(secret, record).await
    }

    async fn update_secret(
        &self,
        secret: &DynamicSecret,
        version: u32,
        record: &Record,
    ) -> Result<()> {
        self.inner.update_secret(secret, version, record).await
    }

    async fn delete_secret(&self, name: &str, record: &Record) -> Result<()> {
        self.inner.delete_secret(name, record).await
    }

    async fn secret(&self, name: &str, version: Option<u32>) -> Result<Option<StoredSecret>> {
        self.inner.secret(name, version).await
    }

    async fn secrets(&self, after: Option<&str>, limit: u32) -> Result<Vec<StoredSecret>> {
        self.inner.secrets(after, limit).await
    }

    async fn begin(&self, lease: &NewLease, claimant: &Claimant, record: &Record) -> Result<Lease> {
        self.write(self.inner.begin(lease, claimant, record)).await
    }

    async fn advance(
        &self,
        id: LeaseId,
        fence: u64,
        what: &Change,
        record: &Record,
    ) -> Result<Lease> {
        self.write(self.inner.advance(id, fence, what, record)).await
    }

    async fn lease(&self, id: LeaseId) -> Result<Option<Lease>> {
        self.inner.lease(id).await
    }

    async fn leases(
        &self,
        filter: &LeaseFilter,
        after: Option<LeaseId>,
        limit: u32,
    ) -> Result<Vec<Lease>> {
        self.inner.leases(filter, after, limit).await
    }

    async fn claim(&self, id: LeaseId, claimant: &Claimant) -> Result<Option<Lease>> {
        self.write(self.inner.claim(id, claimant)).await
    }

    async fn seize(
        &self,
        id: LeaseId,
        claimant: &Claimant,
        record: &Record,
    ) -> Result<Option<Lease>> {
        self.write(self.inner.seize(id, claimant, record)).await
    }

    async fn claim_due(
        &self,
        claimant: &Claimant,
        limit: u32,
        except: &[String],
    ) -> Result<Vec<Lease>> {
        if self.process.fails_claim() {
            return Err(lost());
        }
        self.write(self.inner.claim_due(claimant, limit, except)).await
    }

    async fn next_due(&self, within: Duration, except: &[String]) -> Result<Option<SystemTime>> {
        self.inner.next_due(within, except).await
    }

    async fn note(&self, subject: &str, record: &Record) -> Result<()> {
        self.write(self.inner.note(subject, record)).await
    }

    async fn trail(&self, subject: &str) -> Result<Vec<AuditEntry>> {
        self.inner.trail(subject).await
    }

    async fn verify(&self, subject: &str) -> Result<Option<TrailFlaw>> {
        self.inner.verify(subject).await
    }
}

fn lost() -> CredentialsError {
    CredentialsError::new(ErrorKind::Unavailable, "lease store", "lost on purpose")
}
