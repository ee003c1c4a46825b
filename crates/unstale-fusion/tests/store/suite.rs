//! The promises of every store. Left out is that a lease outlives its record's end by time: here it ends with it, since a .NET
//! node may have deleted the record just as well (`a_record_grows_stale_and_ends_and_its_lease_with_it`).

macro_rules! suite {
    ($module:ident, $format:expr) => {
        mod $module {
            use unstale_servers::Program;

            unstale_conformance::store_suite!(
                crate::shelves::OnRedis::new($format), if |test| Program::RedisServer.is_here_for(test);
                what_was_filled_is_found_with_all_that_it_carries,
                keys_are_answered_in_order_and_caches_are_apart,
                a_cached_nothing_is_found,
                the_first_of_two_fills_wins,
                a_lease_from_before_a_change_fills_nothing,
                a_lease_that_comes_with_a_record_refreshes_it,
                a_lease_from_after_a_removal_fills_whatever_its_stamp,
                only_newer_stamps_replace,
                a_removal_ends_newer_stamps_too_and_refuses_older_ones_after,
                an_expired_record_stays_for_fail_safe,
                a_raised_tag_ends_what_carries_it_and_nothing_else,
                a_tag_raised_everywhere_ends_it_in_every_cache,
                a_cleared_cache_is_empty_and_others_are_not,
                a_raised_tag_refuses_older_writes_of_it_only,
                an_ended_record_is_not_revived_by_an_expiry,
                a_lower_version_never_replaces_a_higher_one,
                removing_and_raising_twice_does_no_harm,
                one_reader_at_a_time_has_the_turn_to_load,
                what_is_stale_is_loaded_by_one_reader_too,
                a_turn_ends_with_all_that_ends_the_load,
                the_turn_for_what_is_missing_ends_too,
                a_turn_ends_by_itself_and_binds_nobody,
                a_key_named_twice_is_one_turn,
            );
        }
    };
}

suite!(system_text_json, unstale_fusion::Format::SystemTextJson);
suite!(message_pack, unstale_fusion::Format::MessagePack);
