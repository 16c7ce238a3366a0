//! What every store must do, as a suite that each implementation runs against itself.
//!
//! Each function is one promise of [`Store`](crate::Store). It gets `open`, which opens the same
//! data each time; data of another function are never seen.
//! [`contract_tests!`](crate::contract_tests) makes one test of each.

// A suite of tests: it ends at the first broken promise.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accounts;
mod desk;
mod instances;
mod lease;
mod outbox;
mod queue;
mod requests;
pub(crate) mod rows;
mod streams;

pub use accounts::*;
pub use desk::*;
pub use instances::*;
pub use lease::*;
pub use outbox::*;
pub use queue::*;
pub use requests::*;
pub use streams::*;

/// Makes one `#[tokio::test]` of each promise. `$fresh` is called once a test, for empty data,
/// and yields an `impl AsyncFn() -> Arc<dyn Store>` that opens them, the second time as they
/// were left. The crate needs `tokio` with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! contract_tests {
    ($fresh:expr) => {
        $crate::contract_tests! { @each $fresh;
            what_was_appended_is_read_back
            a_conflict_leaves_the_others_untouched
            an_inbound_event_takes_effect_once
            an_append_takes_effect_as_a_whole_or_not_at_all
            a_misuse_undoes_the_whole_call_and_no_other
            two_appends_of_one_account_follow_each_other_in_a_batch
            of_concurrent_commits_on_one_version_one_wins
            the_global_order_rises_and_a_polling_reader_skips_nothing
            of_concurrent_commits_with_one_inbox_key_one_takes_effect
            a_head_starts_from_its_snapshot
            accounts_with_a_placement_are_told_from_others
            heads_come_in_the_order_in_which_they_are_asked_for
            a_moment_is_kept_to_the_microsecond_and_no_later_than_it_was
            a_batch_of_many_appends_is_one_batch
            all_is_there_after_opening_again
            a_wake_up_is_set_kept_and_cleared
            a_wake_up_is_never_named_too_early
            accounts_are_listed_in_their_order_page_by_page
            of_two_secrets_the_greater_stamp_wins
            a_secret_that_is_forgotten_is_gone_and_no_other
            erasure_destroys_key_secrets_and_paylinks_and_is_listed
            nothing_that_comes_with_an_erasure_survives_it
            views_replace_what_they_say_and_leave_the_rest
            views_where_nothing_goes_leave_what_they_do_not_say
            days_of_all_years_come_back
            books_are_summed_by_currency_and_creditor
            notices_are_counted_and_listed_newest_first
            work_is_listed_oldest_first
            a_rebuild_replaces_all_views_of_an_account
            a_message_is_taken_by_one_taker_only
            a_taken_message_stays_taken_after_opening_again
            messages_are_taken_when_due_and_earliest_first
            a_message_moves_and_is_listed_by_state
            a_message_may_be_put_and_moved_at_once_and_the_last_move_counts
            a_creditors_messages_are_taken_whatever_waits_at_another
            a_channels_messages_are_taken_whatever_waits_for_another
            what_left_is_counted_by_span_creditor_and_decision
            what_waits_is_counted_and_listed_with_its_persona
            of_two_that_change_a_setting_at_once_one_does
            a_dead_letter_is_numbered_listed_and_closed_once
            a_token_is_found_by_its_hash
            a_request_begins_once_and_keeps_its_answer
            a_request_that_is_forgotten_or_expired_begins_anew
            of_concurrent_requests_with_one_key_one_begins
            a_request_and_what_it_asks_for_are_kept_together_or_not_at_all
            of_appends_with_one_request_the_first_takes_effect_and_no_other_is_touched
            a_request_that_began_or_was_refused_takes_no_effect_beside_that
            of_concurrent_commits_with_one_request_one_takes_effect
            the_first_content_of_a_policy_version_stays
            a_placement_is_put_and_moved
            a_checkout_is_put_and_moved
            a_setting_is_set_replaced_and_removed
            a_lease_has_one_holder_until_it_is_given_up
            a_lease_that_ran_out_is_taken_by_another
            of_many_who_want_a_lease_one_has_it
            a_message_under_a_lease_is_nobody_elses
            an_abandoned_message_is_taken_over_by_one
            a_lease_that_ran_out_is_gone_after_opening_again
            an_attempt_that_was_taken_over_changes_nothing
            a_message_that_waits_is_decided_on_only_until_it_is_taken
            wake_ups_are_taken_by_whose_they_are_and_overdue_ones_by_anybody
            a_look_tells_what_was_recorded_and_where_accounts_stand
            a_setting_is_changed_only_from_what_it_was
        }
    };
    (@each $fresh:expr; $($promise:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            $crate::contract::$promise($fresh()).await;
        }
    )* };
}
