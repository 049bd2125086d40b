use deadpool_postgres::{Client, Pool};
use rolecall_core::Result;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::error::{failed, no_connection};

pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection, perhaps within a transaction. One that is dropped within it is closed, which
/// undoes the transaction, rather than handed to the next.
pub(super) struct Session {
    client: Option<Client>,
    is_open: bool,
}

impl Session {
    pub(super) async fn of(pool: &Pool) -> Result<Self> {
        let client = pool.get().await.map_err(no_connection)?;
        Ok(Self { client: Some(client), is_open: false })
    }

    fn client(&self) -> &Client {
        // It is taken when the session is dropped and not before.
        #[expect(clippy::expect_used, reason = "only drop takes it")]
        self.client.as_ref().expect("a session has its connection until it ends")
    }

    pub(super) async fn query(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>> {
        let statement = self.client().prepare_cached(sql).await.map_err(failed)?;
        self.client().query(&statement, values).await.map_err(failed)
    }

    pub(super) async fn query_one(&self, sql: &str, values: Values<'_>) -> Result<Row> {
        let statement = self.client().prepare_cached(sql).await.map_err(failed)?;
        self.client().query_one(&statement, values).await.map_err(failed)
    }

    pub(super) async fn query_opt(&self, sql: &str, values: Values<'_>) -> Result<Option<Row>> {
        let statement = self.client().prepare_cached(sql).await.map_err(failed)?;
        self.client().query_opt(&statement, values).await.map_err(failed)
    }

    /// Statements without values or answers.
    pub(super) async fn batch(&self, sql: &str) -> Result<()> {
        self.client().batch_execute(sql).await.map_err(failed)
    }

    pub(super) async fn begin(&mut self) -> Result<()> {
        self.is_open = true;
        self.batch("BEGIN").await
    }

    /// Begins and asks for the first rows at once: one way to the server and back.
    pub(super) async fn begin_with(
        &mut self,
        sql: &str,
        values: Values<'_>,
    ) -> Result<Option<Row>> {
        let statement = self.client().prepare_cached(sql).await.map_err(failed)?;
        self.is_open = true;
        let client = self.client();
        let (begun, row) = tokio::join!(
            biased;
            client.batch_execute("BEGIN"),
            client.query_opt(&statement, values),
        );
        begun.map_err(failed)?;
        row.map_err(failed)
    }

    /// Asks for the last row and commits at once. If the statement fails, nothing is committed.
    pub(super) async fn commit_with(
        mut self,
        sql: &str,
        values: Values<'_>,
    ) -> Result<Option<Row>> {
        let statement = self.client().prepare_cached(sql).await.map_err(failed)?;
        let client = self.client();
        let (row, committed) = tokio::join!(
            biased;
            client.query_opt(&statement, values),
            client.batch_execute("COMMIT"),
        );
        // A failed statement makes a rollback of the commit: either way the transaction is over.
        self.is_open = committed.is_err();
        let row = row.map_err(failed)?;
        committed.map_err(failed)?;
        Ok(row)
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        self.batch("COMMIT").await?;
        self.is_open = false;
        Ok(())
    }

    /// Undoes the transaction, so that the connection can be used again.
    pub(super) async fn roll_back(mut self) {
        // If it fails, the connection is closed instead.
        self.is_open = self.batch("ROLLBACK").await.is_err();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let (true, Some(client)) = (self.is_open, self.client.take()) {
            drop(Client::take(client));
        }
    }
}
