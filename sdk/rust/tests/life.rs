//! The life of a plugin: metadata, configuration, start, health, state, stop.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use cdpplugin::testing::{start_test_plugin, Plugin};
use cdpplugin::{
    Config, Context, Encoding, Error, HealthStatus, Instruction, Message, Metadata, Object,
    Processor, ResourceRequirements, Result, Status,
};

/// Counts messages, and notes what is called.
#[derive(Default)]
struct Counter {
    limit: Option<u64>,
    count: u64,
    calls: Rc<RefCell<Vec<&'static str>>>,
    context: Rc<RefCell<Context>>,
}

impl Processor for Counter {
    type Output = Option<Message>;

    fn metadata(&self) -> Metadata {
        Metadata::new("counter", "1.2.3")
            .description("Counts")
            .author("somebody")
            .license("Apache-2.0")
            .input_types(["A", "B"])
            .output_types(["C"])
            .config_schema(r#"{"type": "object"}"#)
            .output_schema("C", r#"{"type":"object"}"#)
            .input_encoding(Encoding::Sep51)
            .stateful()
            .resources(ResourceRequirements {
                min_memory_mb: 1,
                max_memory_mb: 64,
                ..ResourceRequirements::default()
            })
    }

    fn configure(&mut self, config: &Config) -> Result<()> {
        config.only(&["limit", "fail"])?;
        self.limit = config.get("limit")?;
        match config.get::<String>("fail")?.as_deref() {
            None => Ok(()),
            Some("plain") => Err("x".parse::<u8>().unwrap_err().into()),
            Some("coded") => Err(Error::new("no such table").code("counter.table")),
            Some(_) => Err(Error::fatal("gone")),
        }
    }

    fn start(&mut self, context: Context) -> Result<()> {
        self.calls.borrow_mut().push("start");
        *self.context.borrow_mut() = context;
        Ok(())
    }

    fn process(&mut self, message: Message) -> Result<Option<Message>> {
        self.count += 1;
        match message.r#type.as_str() {
            "retry" => Err(Error::retry("busy").after(Duration::from_millis(1250))),
            "fatal" => Err(Error::fatal("gone")
                .code("counter.gone")
                .hint("restore `it`")),
            "fail" => Err(Error::new("é \" \\ \n")),
            "drop" => Err(Error::drop("why")),
            _ => Ok(Some(message).filter(|_| self.limit.map_or(true, |limit| self.count <= limit))),
        }
    }

    fn health(&self) -> HealthStatus {
        let mut details = Object::new();
        details.set("count", self.count).unwrap();
        HealthStatus {
            status: Status::Degraded,
            message: "slow".into(),
            details,
        }
    }

    fn export_state(&mut self) -> Result<Vec<u8>> {
        Ok(self.count.to_le_bytes().to_vec())
    }

    fn import_state(&mut self, state: &[u8]) -> Result<()> {
        self.count = u64::from_le_bytes(state.try_into()?);
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        self.calls.borrow_mut().push("stop");
        Ok(())
    }
}

/// Metadata say all that was set, and what they were built with.
#[test]
fn tells_metadata() {
    let told = Plugin::of(Counter::default()).metadata().unwrap();
    assert_eq!(
        concat!(
            r#"{"name":"counter","version":"1.2.3","type":"processor","sdk":"rust/0.1.0","abi":1,"#,
            r#""description":"Counts","author":"somebody","license":"Apache-2.0","#,
            r#""input_types":["A","B"],"output_types":["C"],"config_schema":{"type": "object"},"#,
            r#""output_schema":{"C":{"type":"object"}},"input_encoding":"sep51","stateful":true,"#,
            r#""resources":{"min_memory_mb":1,"max_memory_mb":64,"cpu_shares":0,"gpu_required":false}}"#
        ),
        format!("{told:?}")
    );
}

/// A schema that is no JSON is found out when the plugin says who it is.
#[test]
fn refuses_bad_schemas() {
    assert!(Metadata::new("x", "1.0.0")
        .config_schema("{")
        .to_json()
        .is_err());
    assert!(Metadata::new("x", "1.0.0")
        .output_schema("A", "")
        .to_json()
        .is_err());
    assert!(Metadata::new("x", "1.0.0").consumer().to_json().is_ok());
}

/// A configuration is refused by any error; the message names the key, the hint says what to do.
#[test]
fn refuses_configurations() {
    let cases = [
        (
            r#"{"limits":1}"#,
            "plugin.config_invalid",
            "unknown key `limits`",
        ),
        (
            r#"{"limit":"1"}"#,
            "plugin.config_invalid",
            "`limit`: expected a whole number of 64 bits without a sign, got `\"1\"`",
        ),
        (
            r#"{"fail":"plain"}"#,
            "plugin.config_invalid",
            "invalid digit found in string",
        ),
        (r#"{"fail":"coded"}"#, "counter.table", "no such table"),
    ];
    for (config, code, message) in cases {
        let error = Plugin::of(Counter::default())
            .configure(config)
            .unwrap_err();
        assert_eq!(Instruction::Invalid, error.instruction(), "{config}");
        assert_eq!(
            (code, message),
            (error.code_text(), error.message()),
            "{config}"
        );
    }
    let error = Plugin::of(Counter::default())
        .configure(r#"{"limits":1}"#)
        .unwrap_err();
    assert_eq!("known keys: `limit`, `fail`", error.hint_text());
    let error = Plugin::of(Counter::default())
        .configure(r#"{"fail":"fatal"}"#)
        .unwrap_err();
    assert_eq!(Instruction::Fatal, error.instruction());
    assert!(Plugin::of(Counter::default()).configure("[1]").is_err());
    assert!(Plugin::of(Counter::default()).configure("").is_ok());
}

/// The context reaches the start, in every part.
#[test]
fn hands_over_the_context() {
    let counter = Counter::default();
    let seen = Rc::clone(&counter.context);
    let context =
        r#"{"pipeline":"p\u00e9","stage":"s","network":"n","schemas":{"A":{"type":"object"}}}"#;
    Plugin::of(counter).start_with(context).unwrap();
    let seen = seen.borrow();
    assert_eq!(
        ["pé", "s", "n"],
        [&*seen.pipeline, &*seen.stage, &*seen.network]
    );
    assert_eq!(Some(r#"{"type":"object"}"#), seen.schemas.raw("A").unwrap());
}

/// A plugin is stopped once, and not at all where it was never started.
#[test]
fn stops_once() {
    let counter = Counter::default();
    let calls = Rc::clone(&counter.calls);
    let mut plugin = Plugin::of(counter);
    plugin.stop().unwrap();
    assert!(calls.borrow().is_empty());
    plugin.start().unwrap();
    plugin.stop().unwrap();
    plugin.stop().unwrap();
    assert_eq!(vec!["start", "stop"], *calls.borrow());
}

/// Health arrives with its message and its details, also before the start.
#[test]
fn tells_health() {
    let health = Plugin::of(Counter::default()).health().unwrap();
    assert_eq!(
        r#"{"status":"degraded","message":"slow","details":{"count":0}}"#,
        format!("{health:?}")
    );
}

/// A new instance goes on with the state of an old one.
#[test]
fn hands_over_state() {
    let mut old = Plugin::of(Counter::default());
    old.process_all(&[Message::default(), Message::default()])
        .unwrap();
    let state = old.export_state().unwrap();
    let mut new = Plugin::of(Counter::default());
    new.configure(r#"{"limit":3}"#).unwrap();
    new.import_state(&state).unwrap();
    let outputs = new
        .process_all(&[Message::default(), Message::default()])
        .unwrap();
    assert_eq!(vec![0], outputs.rows);
}

/// A plugin that keeps no state exports none, and refuses one.
#[test]
fn refuses_state() {
    let guest = || {
        cdpplugin::guest::message_function(Metadata::new("x", "1.0.0"), |message: Message| {
            Ok(message)
        })
    };
    let mut plugin = Plugin::new(guest());
    assert!(plugin.export_state().unwrap().is_empty());
    assert!(plugin.import_state(b"").is_ok());
    assert_eq!(
        "plugin.state_unsupported",
        plugin.import_state(b"x").unwrap_err().code_text()
    );
}

/// Each error of a single message arrives as the instruction it is, with all that it says.
#[test]
fn instructs_for_one_message() {
    let mut plugin = Plugin::of(Counter::default());
    let mut asked = |kind: &str| plugin.process_single(&Message::new(kind, "1")).unwrap_err();
    assert_eq!(
        Error::retry("busy").after(Duration::from_millis(1250)),
        asked("retry")
    );
    assert_eq!(
        Error::fatal("gone")
            .code("counter.gone")
            .hint("restore `it`"),
        asked("fatal")
    );
    assert_eq!(Error::new("é \" \\ \n"), asked("fail"));
    assert_eq!(Error::drop("why"), asked("drop"));
}

/// An error of another kind keeps its text and those of its causes.
#[test]
fn takes_other_errors() {
    let error = Error::from(std::io::Error::new(std::io::ErrorKind::Other, "disk"));
    assert_eq!(
        ("plugin.failed", "disk"),
        (error.code_text(), error.message())
    );
}

/// A consumer gives nothing back.
#[test]
fn consumes() {
    let count = Rc::new(RefCell::new(0));
    let counter = Rc::clone(&count);
    let consume = move |_: Message| -> Result<()> {
        *counter.borrow_mut() += 1;
        Ok(())
    };
    let guest =
        cdpplugin::guest::message_function(Metadata::new("sink", "1.0.0").consumer(), consume);
    let mut plugin = Plugin::new(guest);
    assert_eq!(
        r#""consumer""#,
        plugin.metadata().unwrap().raw("type").unwrap().unwrap()
    );
    assert!(plugin
        .process_all(&[Message::default(), Message::default()])
        .unwrap()
        .outputs
        .is_empty());
    assert_eq!(2, *count.borrow());
}

/// A test starts a plugin with its configuration; what goes wrong there is a value.
#[test]
fn starts_for_a_test() {
    let calls: Rc<RefCell<Vec<&str>>> = Rc::default();
    let counter = Counter {
        calls: Rc::clone(&calls),
        ..Counter::default()
    };
    let mut plugin = start_test_plugin(counter, r#"{"limit": 1}"#).unwrap();
    let passed = plugin.process(&Message::new("A", r#"{"a": 1}"#)).unwrap();
    assert_eq!("A", passed.r#type.as_str());
    assert_eq!(passed.payload, r#"{"a": 1}"#);
    let refused = start_test_plugin(Counter::default(), "[1]").err().unwrap();
    assert_eq!("plugin.config_invalid", refused.code_text());
    plugin.stop().unwrap();
    assert_eq!(Some(&"stop"), calls.borrow().last());
}

/// What comes of one message in a test: its output, or an error that says what else it was.
#[test]
fn processes_one_for_a_test() {
    let mut plugin = start_test_plugin(Counter::default(), "{}").unwrap();
    let mut asked = |kind: &str| plugin.process(&Message::new(kind, "1")).err().unwrap();
    assert_eq!(
        Error::retry("busy").after(Duration::from_millis(1250)),
        asked("retry")
    );
    assert_eq!(Error::new("é \" \\ \n"), asked("fail"));
    assert_eq!(Error::drop("why"), asked("drop"));

    let twice = |message: Message| Ok(vec![message.clone(), message]);
    let guest = cdpplugin::guest::message_function(Metadata::new("twice", "1.0.0"), twice);
    let mut plugin = start_test_plugin(guest, "{}").unwrap();
    let several = plugin.process(&Message::default()).err().unwrap();
    assert_eq!("plugin.output_invalid", several.code_text());
    assert_eq!(
        vec![0, 0],
        plugin.process_all(&[Message::default()]).unwrap().rows
    );

    let nothing = |_: Message| Ok(None::<Message>);
    let guest = cdpplugin::guest::message_function(Metadata::new("none", "1.0.0"), nothing);
    let mut plugin = start_test_plugin(guest, "{}").unwrap();
    let left_out = plugin.process(&Message::default()).err().unwrap();
    assert_eq!(Instruction::Drop, left_out.instruction());
}
