//! Replays the golden vectors of `spec/vectors`, as far as they concern a guest.
//!
//! A guest knows no `ProcessRequest` and no `ProcessResponse`: the messages of these files go
//! through `process` as JSON instead, where metadata of any number are exact.

mod golden;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use cdpplugin::testing::{Answered, Plugin};
use cdpplugin::{
    Batch, Error, Instruction, Message, Metadata, Object, OutputCollector, Outputs, Processor,
    Result,
};

use golden::{assert_same, cases, compact, member, message, messages, wire};

/// Passes on every message anew, and notes what it was given.
#[derive(Default)]
struct Echo {
    anew: bool,
    seen: Rc<RefCell<Vec<Message>>>,
    encoding: Rc<RefCell<String>>,
}

impl Processor for Echo {
    type Output = ();

    fn metadata(&self) -> Metadata {
        Metadata::new("echo", "1.0.0")
    }

    fn process(&mut self, _: Message) -> Result<()> {
        unreachable!("there is a batch form")
    }

    fn process_batch(&mut self, batch: &Batch) -> Result<Outputs> {
        *self.encoding.borrow_mut() = batch.encoding().name().to_string();
        let mut collector = OutputCollector::new(batch);
        for row in 0..batch.len() {
            let message = batch.message(row)?;
            self.seen.borrow_mut().push(message.clone());
            match self.anew {
                true => collector.add(row, &anew(&message))?,
                false => collector.pass(row)?,
            }
        }
        collector.outputs()
    }
}

/// Returns the same message in memory of its own, but for the payload.
fn anew(message: &Message) -> Message {
    let mut metadata = message.metadata.clone();
    metadata.set("passing", 1).unwrap();
    metadata.remove("passing").unwrap();
    Message {
        id: message.id.as_str().into(),
        r#type: message.r#type.as_str().into(),
        metadata,
        source: Rc::new((*message.source).clone()),
        trace_id: message.trace_id.as_str().into(),
        content_type: message.content_type.as_str().into(),
        ..message.clone()
    }
}

/// Batches are read as the case says, and pass as they were, untouched or written anew.
#[test]
fn batches() {
    for case in cases("batches.json") {
        let name: String = member(&case, "name");
        let (batch, refused) = (wire(&case, "wire"), member::<String>(&case, "refused"));
        let expected = messages(&case, "messages");
        for anew in [false, true] {
            let echo = Echo {
                anew,
                ..Echo::default()
            };
            let (seen, encoding) = (Rc::clone(&echo.seen), Rc::clone(&echo.encoding));
            let answer = Plugin::of(echo).process_wire(batch.clone());
            if !refused.is_empty() {
                assert_eq!(refused, answer.unwrap_err().code_text(), "{name}");
                continue;
            }
            let answer = answer.unwrap();
            assert_eq!(
                member::<String>(&case, "encoding"),
                *encoding.borrow(),
                "{name}"
            );
            assert_eq!(expected.len(), seen.borrow().len(), "{name}");
            assert_eq!(expected.len(), answer.outputs.len(), "{name}");
            let both = seen
                .borrow()
                .iter()
                .cloned()
                .zip(answer.outputs)
                .collect::<Vec<_>>();
            for (expected, (seen, passed)) in expected.iter().zip(both) {
                assert_same(expected, &seen, &name);
                assert_same(expected, &passed, &name);
            }
        }
    }
}

/// Answers are read as the case says; those that do not fit their batch are refused.
#[test]
fn answers_read() {
    for case in cases("answers.json") {
        let (name, refused) = (
            member::<String>(&case, "name"),
            member::<String>(&case, "refused"),
        );
        let answer = Answered::read(&wire(&case, "wire"), member(&case, "rows"));
        match refused.is_empty() {
            true => assert_answer(&case, &answer.unwrap(), &name),
            false => assert_eq!(refused, answer.unwrap_err().code_text(), "{name}"),
        }
    }
}

/// Answers that the collector makes say what the case says.
#[test]
fn answers_written() {
    for case in cases("answers.json") {
        if !member::<String>(&case, "refused").is_empty() {
            continue;
        }
        let rows: usize = member(&case, "rows");
        let told = case.clone();
        let answer = move |batch: &Batch| {
            let mut collector = OutputCollector::new(batch);
            let outputs = messages(&told, "outputs");
            for (row, output) in member::<Vec<usize>>(&told, "output_rows")
                .into_iter()
                .zip(&outputs)
            {
                collector.add(row, output)?;
            }
            for entry in member::<Vec<Object>>(&told, "errors") {
                collector.fail(
                    member(&entry, "row"),
                    error(&entry.object("error")?.unwrap()),
                );
            }
            let dropped = told.object("dropped")?.unwrap();
            for reason in dropped.names()? {
                (0..member(&dropped, &reason)).for_each(|_: u64| collector.drop(&reason));
            }
            collector.outputs()
        };
        let guest = cdpplugin::guest::batch_function(Metadata::new("told", "1.0.0"), answer);
        let given = Plugin::new(guest)
            .process_all(&vec![Message::new("In", "0"); rows])
            .unwrap();
        assert_answer(&case, &given, &member::<String>(&case, "name"));
    }
}

fn assert_answer(case: &Object, answer: &Answered, name: &str) {
    let expected = messages(case, "outputs");
    assert_eq!(expected.len(), answer.outputs.len(), "{name}");
    for (expected, output) in expected.iter().zip(&answer.outputs) {
        assert_same(expected, output, name);
    }
    assert_eq!(
        member::<Vec<usize>>(case, "output_rows"),
        answer.rows,
        "{name}"
    );
    let errors = member::<Vec<Object>>(case, "errors");
    let errors = errors.iter().map(|entry| {
        (
            member(entry, "row"),
            error(&entry.object("error").unwrap().unwrap()),
        )
    });
    assert_eq!(
        errors.collect::<BTreeMap<usize, Error>>(),
        answer.errors,
        "{name}"
    );
    let dropped = case.object("dropped").unwrap().unwrap();
    let reasons = dropped.names().unwrap();
    let dropped = reasons
        .into_iter()
        .map(|reason| (reason.clone(), member(&dropped, &reason)));
    assert_eq!(
        dropped.collect::<BTreeMap<String, u64>>(),
        answer.dropped,
        "{name}"
    );
}

/// Returns the error that an object of a case describes.
fn error(told: &Object) -> Error {
    let message: String = member(told, "message");
    let mut error = match member::<String>(told, "instruction").as_str() {
        "retry" => Error::retry(message),
        "drop" => Error::drop(message),
        "fatal" => Error::fatal(message),
        _ => Error::new(message),
    };
    if let Some(wait_s) = told.get::<f64>("retry_after_s").unwrap() {
        error = error.after(Duration::from_secs_f64(wait_s));
    }
    let code: String = member(told, "code");
    if !code.is_empty() {
        error = error.code(code);
    }
    error.hint(member::<String>(told, "hint"))
}

/// An error is read as the case says, and what is written of it says the same.
#[test]
fn errors() {
    for case in cases("errors.json") {
        let (name, expected) = (
            member::<String>(&case, "name"),
            case.object("error").unwrap().unwrap(),
        );
        let expected = error(&expected);
        let read = Answered::read(&answer_of_error(&wire(&case, "wire")), 1).unwrap();
        assert_error(&expected, &read, &name);
        let fails = move |_: Message| -> Result<()> { Err(error(&case.object("error")?.unwrap())) };
        let guest = cdpplugin::guest::message_function(Metadata::new("fails", "1.0.0"), fails);
        let written = Plugin::new(guest)
            .process_all(&[Message::default()])
            .unwrap();
        assert_error(&expected, &written, &name);
    }
}

fn assert_error(expected: &Error, answer: &Answered, name: &str) {
    if expected.instruction() == Instruction::Drop {
        assert_eq!(Some(&1), answer.dropped.get(expected.message()), "{name}");
        return;
    }
    assert_eq!(Some(expected), answer.errors.get(&0), "{name}");
}

/// Returns an answer whose only row has an error.
fn answer_of_error(error: &[u8]) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| {
        assert!(bytes.len() < 128 * 128);
        let size = [bytes.len() as u8 | 0x80, (bytes.len() >> 7) as u8];
        [&[number << 3 | 2][..], &size, bytes].concat()
    };
    field(3, &field(2, error))
}

fn echo_one(message: &Message) -> Message {
    let guest =
        cdpplugin::guest::message_function(Metadata::new("echo", "1.0.0"), |message: Message| {
            Ok(message)
        });
    Plugin::new(guest).process_single(message).unwrap().remove(0)
}

/// The messages of single calls pass `process`, as JSON, as they came.
#[test]
fn requests() {
    for case in cases("requests.json") {
        let expected = message(&case.object("input").unwrap().unwrap());
        if expected.content_type == cdpplugin::CONTENT_TYPE_JSON {
            assert_same(
                &expected,
                &echo_one(&expected),
                &member::<String>(&case, "name"),
            );
        }
    }
}

/// What a single call may answer, `process` gives as JSON.
#[test]
fn responses() {
    for case in cases("responses.json") {
        let name: String = member(&case, "name");
        let output = case
            .object("output")
            .unwrap()
            .map(|output| message(&output));
        let expected = output.clone();
        let gives = move |_: Message| Ok(output.clone());
        let guest = cdpplugin::guest::message_function(Metadata::new("gives", "1.0.0"), gives);
        let outputs = Plugin::new(guest)
            .process_single(&Message::default())
            .unwrap();
        assert_eq!(
            member::<bool>(&case, "dropped"),
            outputs.is_empty(),
            "{name}"
        );
        if let Some(expected) = expected {
            assert_same(&expected, &outputs[0], &name);
        }
    }
}

/// Metadata of any number keep every digit: they are text, so none is too large.
#[test]
fn numbers() {
    for case in cases("numbers.json") {
        let value: String = member(&case, "value");
        let metadata = Object::parse(value.as_str()).unwrap();
        let expected = compact(metadata.clone());
        let message = Message {
            metadata,
            ..Message::default()
        };
        assert_eq!(expected, compact(echo_one(&message).metadata));
        let anew = anew(&message);
        assert_eq!(expected, compact(echo_one(&anew).metadata));
    }
}
