//! The scripts that keep the layout of .NET and our notes in it together.
//!
//! An entry is the hash of .NET with one more field, `unstale`: our note, good only for the content that it was written with.
//! Beside each key lies a hash of ours, which .NET never reads:
//!
//! | field | what |
//! |---|---|
//! | `fence` | stands for the missing entry: a lease on it is void once it is gone |
//! | `turn`, `until` | whose turn it is to load, and for how long |
//! | `stamp` | the highest stamp of our acts on the key |
//! | `ended` | when the key was last made old, by the server's clock |
//! | `absexp`, `data`, `note`, `kept` | what an expiry left for fail-safe: to .NET the entry is deleted |
//! | `undone` | the foreign fill that was undone last |

use unstale_port::Script;

macro_rules! script {
    ($name:ident, $words:literal, $file:literal) => {
        pub(crate) static $name: Script = Script {
            name: $words,
            text: concat!(include_str!("lua/prelude.lua"), include_str!(concat!("lua/", $file))),
        };
    };
}

script!(GET, "get", "get.lua");
script!(TAKE, "take a turn", "take.lua");
script!(RELEASE, "release", "release.lua");
script!(PUT, "put", "put.lua");
script!(VOID, "make old", "void.lua");
script!(MARKS, "read marks", "marks.lua");
script!(RAISE, "raise", "raise.lua");
script!(SEEN, "note a mark", "seen.lua");
script!(SETTLE, "settle", "settle.lua");
script!(UNDO, "undo", "undo.lua");
script!(PUBLISH, "publish", "publish.lua");
