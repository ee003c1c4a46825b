//! The promises of every store. Left out is that a lease outlives its record's end by time: here it ends with it, since a .NET
//! node may have deleted the record just as well (`a_record_grows_stale_and_ends_and_its_lease_with_it`).

macro_rules! suite {
    ($module:ident, $format:expr) => {
        mod $module {
            use unstale_servers::Program;

            unstale_conformance::store_suite!(
                crate::shelves::OnRedis::new($format), if |test| Program::RedisServer.is_here_for(test),
                without_ends_by_time
            );
        }
    };
}

suite!(system_text_json, unstale_fusion::Format::SystemTextJson);
suite!(message_pack, unstale_fusion::Format::MessagePack);
