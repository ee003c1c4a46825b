//! Replies as a server writes them.

use super::*;

fn text(text: &str) -> Value {
    Value::Text(Bytes::copy_from_slice(text.as_bytes()))
}

fn whole(bytes: &[u8]) -> Result<Option<Value>, Malformed> {
    decode(&mut BytesMut::from(bytes), VALUE_BYTES_MAX)
}

#[test]
fn each_kind_of_reply_is_understood() {
    for (bytes, value) in [
        ("+OK\r\n", text("OK")),
        ("-ERR no\r\n", Value::Error("ERR no".to_owned())),
        ("!5\r\nERR x\r\n", Value::Error("ERR x".to_owned())),
        (":-12\r\n", Value::Number(-12)),
        ("$3\r\na\r\n\r\n", text("a\r\n")),
        ("$0\r\n\r\n", text("")),
        ("=7\r\ntxt:abc\r\n", text("abc")),
        ("$-1\r\n", Value::Nothing),
        ("*-1\r\n", Value::Nothing),
        ("_\r\n", Value::Nothing),
        ("#t\r\n", Value::Number(1)),
        (",1.5\r\n", text("1.5")),
        ("*2\r\n:1\r\n*0\r\n", Value::List(vec![Value::Number(1), Value::List(Vec::new())])),
        ("~1\r\n:1\r\n", Value::List(vec![Value::Number(1)])),
        ("%1\r\n+a\r\n:1\r\n", Value::List(vec![text("a"), Value::Number(1)])),
        (">2\r\n+a\r\n$1\r\nb\r\n", Value::Push(vec![text("a"), text("b")])),
    ] {
        assert_eq!(whole(bytes.as_bytes()), Ok(Some(value)), "{bytes:?}");
    }
}

#[test]
fn a_reply_that_is_cut_waits_for_its_rest_and_what_follows_stays() {
    let all = b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4\r\nab\r\n\r\n:7\r\n";
    let mut buffer = BytesMut::new();
    let mut values = Vec::new();
    for byte in all {
        buffer.extend_from_slice(&[*byte]);
        values.extend(decode(&mut buffer, VALUE_BYTES_MAX).expect("sound"));
    }
    let message = Value::Push(vec![text("message"), text("c"), text("ab\r\n")]);
    assert_eq!(values, [message, Value::Number(7)]);
    assert!(buffer.is_empty());
}

#[test]
fn fields_of_maps_are_found() {
    let hello = whole(b"%2\r\n+role\r\n+master\r\n+proto\r\n:3\r\n").expect("sound").expect("whole");
    assert_eq!(hello.field("role").and_then(Value::text), Some("master"));
    assert_eq!(hello.field("proto").and_then(Value::number), Some(3));
    assert_eq!(hello.field("x"), None);
}

#[test]
fn what_is_no_reply_is_refused() {
    let deep = b"*1\r\n".repeat(DEPTH_MAX + 1);
    let long = vec![b'+'; LINE_BYTES_MAX + 1];
    for bytes in [
        b"\r\n".as_slice(),
        b"?\r\n",
        b"+a\rb",
        b":x\r\n",
        b"$-2\r\n",
        b"$99999999999\r\n",
        b"*99999999999\r\n",
        b"$1\r\nabc",
        &deep,
        &long,
    ] {
        whole(bytes).expect_err(&String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_value_beyond_what_is_taken_is_refused_before_it_is_there() {
    let mut buffer = BytesMut::from(&b"*2\r\n:1\r\n$100\r\n"[..]);
    decode(&mut buffer, 100).expect_err("it would have more");
    assert_eq!(decode(&mut buffer, 200), Ok(None));
}

#[test]
fn a_command_is_an_array_of_strings() {
    let mut bytes = BytesMut::new();
    encode(&[b"PUBLISH", b"c", b"", &[b'x'; 11]], &mut bytes);
    assert_eq!(&bytes[..], b"*4\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$0\r\n\r\n$11\r\nxxxxxxxxxxx\r\n");
}
