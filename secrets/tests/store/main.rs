//! Both stores, by the same tests; then what is particular to each.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken machine fails its test")]
#![expect(clippy::disallowed_methods, reason = "the tests go behind the store's back")]

mod auth;
mod bed;
mod model;
mod postgres;
mod sqlite;
mod suite;

/// The tests of the suite on each store.
macro_rules! on_both_stores {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                crate::suite::$name(&crate::bed::SqliteBed::new().await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                crate::suite::$name(&crate::bed::PostgresBed::new().await).await;
            })*
        }
    };
}

on_both_stores!(
    a_definition_lives_in_versions_that_are_never_used_again,
    a_definition_with_leases_that_run_stays,
    definitions_are_listed_by_name_and_page,
    names_that_read_as_other_things_are_refused,
    a_lease_lives_and_is_read_back_as_it_was_written,
    what_the_state_does_not_allow_changes_nothing,
    an_unknown_lease_and_a_second_one_are_conflicts,
    a_lease_needs_a_definition_in_use,
    of_two_claimants_one_wins_and_the_other_waits,
    a_claim_that_ran_out_is_lost_to_the_next,
    a_claim_never_lasts_for_ever,
    a_wish_to_take_back_is_written_down_whoever_works_on_the_lease,
    accounts_that_are_left_alone_keep_their_users_and_no_sessions,
    a_row_that_makes_no_sense_stops_no_other,
    a_note_is_a_line_of_its_log_and_changes_nothing_else,
    what_is_due_is_claimed_once_and_in_order,
    the_next_due_time_counts_claims,
    leases_are_listed_by_filter_and_page,
    a_hundred_tasks_at_once_all_get_through,
    tampering_with_the_log_shows,
    odd_text_is_kept_as_it_is,
    a_caller_that_goes_away_leaves_the_store_whole,
    a_used_token_is_known_until_nobody_takes_it_and_never_comes_back,
    of_all_who_use_a_token_at_once_one_may,
    an_auth_method_lives_in_versions_and_its_access_id_never_returns,
    signing_keys_are_kept_and_never_replaced,
);
