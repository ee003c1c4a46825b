//! What is encoded decodes to the same, and values are shown as what they are.

use proptest::prelude::{ProptestConfig, Strategy, proptest};
use unstale_codec::fusion::{BackplaneMessage, Envelope, Format, ValueForm, ValueType, value_json};

use crate::strategies::{Sample, any_envelope, any_message, any_sample};
use crate::{decode, encode, encode_message};

/// A value within an envelope.
fn any_entry() -> impl Strategy<Value = (Sample, Envelope)> {
    any_sample().prop_flat_map(|sample| {
        let envelope = any_envelope(sample.form.clone());
        envelope.prop_map(move |envelope| (sample.clone(), envelope))
    })
}

/// What a serializer does not tell apart: protobuf-net reads an empty list of tags back as none.
fn as_read(format: &Format, mut envelope: Envelope) -> Envelope {
    if *format == Format::ProtobufNet {
        envelope.tags = envelope.tags.filter(|tags| !tags.is_empty());
    }
    envelope
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_comes_back_as_it_was(message in any_message()) {
        let bytes = encode_message(&message);
        assert_eq!(BackplaneMessage::decode(bytes), Ok(message));
    }

    #[test]
    fn every_envelope_comes_back_as_it_was_and_has_one_form((sample, envelope) in any_entry()) {
        let bytes = encode(&sample.format, &envelope);
        let back = decode(&sample.format, bytes.clone());
        assert_eq!(encode(&sample.format, &back), bytes);
        assert_eq!(back, as_read(&sample.format, envelope));
    }

    #[test]
    fn every_value_is_shown_as_what_it_is(sample in any_sample()) {
        let Sample { format, value_type, form, json } = sample;
        let shown = value_json(&format, Some(&value_type), &ValueForm(form)).expect("it is a value of that type");
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("it is JSON");
        assert_eq!(shown, json, "{value_type} by {format:?}");
    }

    #[test]
    fn every_type_is_read_as_it_is_shown(sample in any_sample()) {
        assert_eq!(sample.value_type.to_string().parse::<ValueType>(), Ok(sample.value_type));
    }
}
