//! What benchmarks lease.

use std::time::Duration;

use rolecall_secrets::{Connection, DynamicSecret, IamUser, Outcome, Record, SecretKind, Store};

const HOUR: Duration = Duration::from_secs(3600);

/// Defines the dynamic secret `deploy`.
pub(crate) async fn define(store: &dyn Store) {
    let secret = DynamicSecret {
        name: "deploy".to_owned(),
        description: String::new(),
        connection: Connection::Default,
        kind: SecretKind::IamUser(IamUser::default()),
        region: None,
        default_ttl: HOUR,
        max_ttl: HOUR * 24,
        access: Vec::new(),
    };
    let record = Record::new("bench", "define", Outcome::Done, "");
    store.create_secret(&secret, &record).await.unwrap();
}
