//! Schema versions.

use std::borrow::Cow;

use domain::Fault;
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqlitePool;

const LEDGERS: &str = include_str!("../../migrations/sqlite/0001_ledgers.sql");

/// Brings the store to the newest schema. Refuses a store that a newer program has written.
pub(super) async fn migrate(pool: &SqlitePool) -> Result<(), Fault> {
    let migrations = vec![Migration::new(1, Cow::Borrowed("ledgers"), MigrationType::Simple, LEDGERS.into_sql_str(), false)];
    let migrator = Migrator::with_migrations(migrations);
    migrator.run(pool).await.map_err(|e| Fault::new("bringing the control store to this version's schema", e))
}
