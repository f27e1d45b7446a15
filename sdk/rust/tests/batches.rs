//! What comes of a batch: outputs, drops and errors, each of its row.

use std::rc::Rc;

use cdpplugin::guest::{batch_function, message_function, Input};
use cdpplugin::testing::{Answered, Plugin};
use cdpplugin::{
    each_message, Batch, Error, Message, Metadata, OutputCollector, Outputs, Result, SourceInfo,
};

fn me() -> Metadata {
    Metadata::new("test", "1.0.0")
}

fn numbered(rows: usize) -> Vec<Message> {
    let message = |row| {
        let mut message = Message::new("Number", format!("{{\"n\":{row}}}"));
        message.id = format!("id:{row}").into();
        message
    };
    (0..rows).map(message).collect()
}

fn number(message: &Message) -> Result<usize> {
    message
        .object()?
        .get("n")?
        .ok_or_else(|| Error::new("no number"))
}

fn run(
    messages: &[Message],
    function: impl FnMut(&Batch) -> Result<Outputs> + 'static,
) -> Result<Answered> {
    Plugin::new(batch_function(me(), function)).process_all(messages)
}

/// Returns a batch on the wire, as a host sends it.
fn wire(messages: &[Message]) -> Vec<u8> {
    Batch::of(messages).unwrap().wire().to_vec()
}

/// Every message passes as it came, without a copy of the batch where there is room before it.
#[test]
fn passes_in_place() {
    let batch = wire(&numbered(100));
    let mut bytes = vec![0; 16];
    bytes.extend_from_slice(&batch);
    let place = bytes.as_ptr();
    let mut plugin = message_function(me(), |message: Message| Ok(message));
    let answer = plugin.process_batch(Input { bytes, start: 16 });
    assert_eq!(place, answer.bytes.as_ptr());
    assert_eq!(&batch[..], &answer.bytes[16..]);
    assert_eq!(
        numbered(100),
        Answered::read(&answer.bytes[answer.start..], 100)
            .unwrap()
            .outputs
    );
}

/// A message that somebody keeps stays as it is, though its batch passes on.
#[test]
fn keeps_what_is_kept() {
    let kept = Rc::new(std::cell::RefCell::new(Vec::new()));
    let keeper = Rc::clone(&kept);
    let function = move |message: Message| {
        keeper.borrow_mut().push(message.clone());
        Ok(message)
    };
    let mut plugin = Plugin::new(message_function(me(), function));
    for _ in 0..2 {
        assert_eq!(
            numbered(3),
            plugin.process_all(&numbered(3)).unwrap().outputs
        );
    }
    assert_eq!([numbered(3), numbered(3)].concat(), *kept.borrow());
}

/// Wherever a message is left out, failed, changed or doubled, the others arrive as they came.
#[test]
fn does_not_mix_rows() {
    const ROWS: usize = 7;
    for place in 0..ROWS {
        for kind in ["drop", "nothing", "fail", "change", "twice"] {
            let function = move |batch: &Batch| {
                each_message(batch, |mut message| {
                    if number(&message)? != place {
                        return Ok(vec![message]);
                    }
                    match kind {
                        "drop" => Err(Error::drop("why")),
                        "fail" => Err(Error::new("bad")),
                        "nothing" => Ok(vec![]),
                        "change" => {
                            message.r#type = "Changed".into();
                            Ok(vec![message])
                        }
                        _ => Ok(vec![message.clone(), message]),
                    }
                })
            };
            let answer = run(&numbered(ROWS), function).unwrap();
            let mut expected: Vec<usize> = (0..ROWS).collect();
            match kind {
                "change" => {}
                "twice" => expected.insert(place, place),
                _ => drop(expected.remove(place)),
            }
            assert_eq!(expected, answer.rows, "{kind} {place}");
            for (row, output) in answer.rows.iter().zip(&answer.outputs) {
                let mut expected = numbered(ROWS).remove(*row);
                if kind == "change" && *row == place {
                    expected.r#type = "Changed".into();
                }
                assert_eq!(&expected, output, "{kind} {place}");
            }
            assert_eq!(usize::from(kind == "fail"), answer.errors.len());
            assert_eq!(usize::from(kind == "drop"), answer.dropped.len());
        }
    }
}

/// What is changed in a message arrives, and nothing else changes.
#[test]
fn changes_attributes() {
    let change = |mut message: Message| -> Result<Message> {
        message.id = "new".into();
        message.metadata.set("seen", 9_007_199_254_740_993_u64)?;
        message.trace_id = "trace".into();
        message.content_type = "text/plain".into();
        message.source = Rc::new(SourceInfo {
            name: "me".into(),
            uri: "file:///x".into(),
            ..SourceInfo::default()
        });
        Ok(message)
    };
    let mut plugin = Plugin::new(message_function(me(), change));
    for output in plugin.process_all(&numbered(3)).unwrap().outputs {
        assert_eq!(output.id, "new");
        assert_eq!(output.r#type, "Number");
        assert_eq!(
            Some("9007199254740993"),
            output.metadata.raw("seen").unwrap()
        );
        assert_eq!(output.trace_id, "trace");
        assert_eq!(output.content_type, "text/plain");
        assert_eq!(output.source.uri, "file:///x");
    }
}

/// A message of one's own has the defaults of everything that is not set.
#[test]
fn gives_new_messages() {
    let answer = run(&numbered(2), |batch| {
        each_message(batch, |_| {
            Ok(vec![Message::new("Part", "1"), Message::default()])
        })
    });
    let answer = answer.unwrap();
    assert_eq!(vec![0, 0, 1, 1], answer.rows);
    assert_eq!(Message::new("Part", "1"), answer.outputs[2]);
    assert_eq!(answer.outputs[3].payload, "null");
    assert_eq!(answer.outputs[3].content_type, "application/json");
}

/// The columns of a batch are read without making messages.
#[test]
fn reads_columns() {
    let answer = run(&numbered(4), |batch| {
        assert!(batch.types().is_constant());
        assert!(!batch.ids().is_constant());
        assert_eq!(Some("Number"), batch.types().text_at(3));
        assert_eq!(b"{}", batch.metadata().at(0));
        assert_eq!(b"application/json", batch.content_types().at(0));
        assert_eq!(b"", batch.trace_ids().at(2));
        let mut collector = OutputCollector::new(batch);
        for row in (0..batch.len()).filter(|row| batch.payloads().at(*row) != b"{\"n\":2}") {
            collector.replace(row, batch.ids().at(row))?;
        }
        collector.outputs()
    });
    let answer = answer.unwrap();
    assert_eq!(vec![0, 1, 3], answer.rows);
    assert_eq!(answer.outputs[2].payload, "id:3");
    assert_eq!(answer.outputs[2].id, "id:3");
    assert_eq!(answer.outputs[2].r#type, "Number");
}

/// Columns that are constant stay so, also where rows are left out or payloads change.
#[test]
fn keeps_constants() {
    let mut plugin = batch_function(me(), |batch| {
        let mut collector = OutputCollector::new(batch);
        (1..batch.len()).try_for_each(|row| collector.pass(row))?;
        collector.outputs()
    });
    let bytes = wire(&numbered(1000));
    let answer = plugin.process_batch(Input { bytes, start: 0 });
    let text = String::from_utf8_lossy(&answer.bytes);
    assert_eq!(1, text.matches("Number").count());
}

/// Rows come in order, and are rows of the batch.
#[test]
fn refuses_other_rows() {
    type Give = fn(&mut OutputCollector) -> Result<()>;
    let cases: [(&str, Give); 6] = [
        ("pass beyond", |collector| collector.pass(3)),
        ("add beyond", |collector| {
            collector.add(3, &Message::default())
        }),
        ("pass back", |collector| {
            collector.pass(1).and_then(|()| collector.pass(0))
        }),
        ("add back", |collector| {
            collector
                .pass(1)
                .and_then(|()| collector.add(0, &Message::default()))
        }),
        ("replace back", |collector| {
            collector.pass(1).and_then(|()| collector.replace(0, b"1"))
        }),
        ("error beyond", |collector| {
            collector.fail(3, Error::new("x"));
            Ok(())
        }),
    ];
    for (name, give) in cases {
        let answer = run(&numbered(3), move |batch| {
            let mut collector = OutputCollector::new(batch);
            give(&mut collector)?;
            collector.outputs()
        });
        assert_eq!(
            "plugin.output_invalid",
            answer.unwrap_err().code_text(),
            "{name}"
        );
    }
}

/// An error of a batch is about the whole of it; a drop leaves out every row and counts them.
#[test]
fn answers_for_the_whole() {
    let error = run(&numbered(3), |_| Err(Error::retry("busy"))).unwrap_err();
    assert_eq!("plugin.retry", error.code_text());
    let answer = run(&numbered(3), |_| Err(Error::drop("closed"))).unwrap();
    assert_eq!(Some(&3), answer.dropped.get("closed"));
    assert!(answer.outputs.is_empty());
}

/// A batch of no messages gets an answer of none.
#[test]
fn answers_nothing() {
    let answer = run(&[], |batch| each_message(batch, Ok)).unwrap();
    assert_eq!(Answered::default(), answer);
    assert_eq!(
        Answered::default(),
        run(&[], |_| Ok(Outputs::each())).unwrap()
    );
}

/// Returns a batch of rows of XDR.
fn xdr(payloads: &[&[u8]]) -> Vec<u8> {
    let mut wire = vec![8, payloads.len() as u8];
    for payload in payloads {
        wire.extend_from_slice(&[0x22, payload.len() as u8]);
        wire.extend_from_slice(payload);
    }
    wire.extend_from_slice(b"\x4a\x03xdr");
    wire
}

/// Payloads that are not JSON pass as they came, or are all replaced; never one beside the other.
#[test]
fn does_not_mix_encodings() {
    let payloads: [&[u8]; 3] = [b"\x00\xff", b"\x01", b"\x02"];
    let function = |left: usize| {
        move |batch: &Batch| {
            each_message(batch, |mut message| {
                if message.payload[0] as usize >= left {
                    message.payload = "1".into();
                }
                message.id = "x".into();
                Ok(message)
            })
        }
    };
    let run = |left| Plugin::new(batch_function(me(), function(left))).process_wire(xdr(&payloads));
    let passed = run(3).unwrap();
    assert_eq!(passed.outputs[0].payload, b"\x00\xff");
    assert_eq!(run(0).unwrap().outputs[2].payload, "1");
    assert_eq!(
        "plugin.encoding_unsupported",
        run(1).unwrap_err().code_text()
    );
}

/// A payload that is not JSON may also go out with a later row of its batch.
#[test]
fn keeps_encodings_of_other_rows() {
    let mut plugin = Plugin::new(batch_function(me(), |batch| {
        let mut collector = OutputCollector::new(batch);
        collector.add(1, &batch.message(0)?)?;
        collector.outputs()
    }));
    let answer = plugin.process_wire(xdr(&[b"\xff", b"\xfe"])).unwrap();
    assert_eq!(
        (vec![1], &b"\xff"[..]),
        (answer.rows, &*answer.outputs[0].payload)
    );
}

/// Bytes that are no batch are refused, wherever they end.
#[test]
fn refuses_torn_batches() {
    let whole = wire(&numbered(3));
    for end in 0..whole.len() {
        let mut plugin = message_function(me(), |message: Message| Ok(message));
        let torn = whole[..end].to_vec();
        let status = plugin
            .process_batch(Input {
                bytes: torn,
                start: 0,
            })
            .status;
        assert!(status == 0 || status == 3, "{end}");
    }
    let mut wrong = whole.clone();
    wrong.extend_from_slice(b"\x12\x01x\x12\x01y");
    let error =
        Plugin::new(message_function(me(), |message: Message| Ok(message))).process_wire(wrong);
    assert_eq!("message.batch_invalid", error.unwrap_err().code_text());
}

/// A payload that is no JSON costs its own row, where somebody reads it.
#[test]
fn fails_garbage_alone() {
    let mut messages = numbered(3);
    messages[1].payload = "{\"n\":".into();
    let read = |message: Message| number(&message).map(|_| message);
    let answer = Plugin::new(message_function(me(), read))
        .process_all(&messages)
        .unwrap();
    assert_eq!(vec![0, 2], answer.rows);
    assert_eq!("message.payload_invalid", answer.errors[&1].code_text());
}
