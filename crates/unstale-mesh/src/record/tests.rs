use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

fn wire(records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        let Ok(()) = append(&mut out, record.len(), |body| {
            body.copy_from_slice(record);
            Ok::<(), Infallible>(())
        });
    }
    out
}

/// Takes everything that is whole, as a link does: no more bytes while there is a record.
fn drain(records: &mut Records, limit: usize) -> Result<Vec<Vec<u8>>, TooLong> {
    let mut taken = Vec::new();
    while let Some(record) = records.take(limit)? {
        taken.push(records.get(record).to_vec());
    }
    Ok(taken)
}

#[test]
fn a_record_longer_than_the_limit_is_refused_before_its_bytes_came() {
    let mut records = Records::default();
    records.extend(&[0x04, 0x01]);
    assert_eq!(records.take(1_024), Err(TooLong { bytes: 1_025, limit: 1_024 }));
}

#[test]
fn an_announced_length_takes_no_memory() {
    let mut records = Records::default();
    records.extend(&[0xff, 0xff, 1]);
    assert_eq!(records.take(RECORD_BYTES_MAX), Ok(None));
    assert!(records.bytes.capacity() < 64, "{}", records.bytes.capacity());
}

#[test]
fn a_large_record_leaves_no_large_buffer_behind() {
    let mut records = Records::default();
    records.extend(&wire(&[vec![7; RECORD_BYTES_MAX]]));
    assert!(records.take(RECORD_BYTES_MAX).expect("within the limit").is_some());
    assert_eq!(records.take(RECORD_BYTES_MAX), Ok(None));
    assert!(records.bytes.capacity() <= KEPT_BYTES_MAX, "{}", records.bytes.capacity());
}

proptest! {
    #[test]
    fn records_come_out_as_they_went_in_however_the_bytes_are_cut(
        sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
        cuts in prop::collection::vec(1usize..200, 1..50),
    ) {
        let bytes = wire(&sent);
        let (mut records, mut taken, mut rest) = (Records::default(), Vec::new(), &bytes[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at(rest.len().min(*cut));
            records.extend(now);
            taken.extend(drain(&mut records, 300).expect("within the limit"));
            rest = later;
        }
        prop_assert_eq!(taken, sent);
    }

    #[test]
    fn garbage_gives_records_within_the_limit_or_a_refusal_and_keeps_no_more_than_came(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2_000), 0..20),
        limit in 0usize..2_000,
    ) {
        let (mut records, mut came) = (Records::default(), 0);
        for chunk in chunks {
            records.extend(&chunk);
            came += chunk.len();
            prop_assert!(records.bytes.len() <= came);
            match drain(&mut records, limit) {
                Ok(taken) => prop_assert!(taken.iter().all(|record| record.len() <= limit)),
                Err(long) => {
                    prop_assert!(long.bytes > limit);
                    return Ok(());
                }
            }
            prop_assert!(records.bytes.len() - records.start <= LENGTH_BYTES + limit);
        }
    }
}
