//! What a payload asks for.

use std::rc::Rc;

use cdpplugin::{log, Bytes, Error, FromJson, HealthStatus, Message, Object, Result, SourceInfo};
use cdpplugin::{Status, Text};

use crate::instruction::{instruction, is_instruction};
use crate::Reference;

impl Reference {
    /// Does what the key `do` says.
    pub fn obey(&mut self, mut message: Message, task: &Object) -> Result<Vec<Message>> {
        let action = task.get::<String>("do").ok().flatten().unwrap_or_default();
        match action.as_str() {
            "echo" | "sleep" => {}
            "drop" => return dropped(task),
            "many" => return parts(&message, task),
            "set" => change(&mut message, task)?,
            "metadata" => change_metadata(&mut message, task)?,
            "health" => self.change_health(task)?,
            "log" => write_lines(task)?,
            "rewrite" => message.payload = rewritten(task)?,
            "big" => message.payload = big(task)?,
            "describe" => message.payload = described(&message)?,
            "config" => message.payload = self.config.clone(),
            "context" => message.payload = self.described_context()?,
            "count" => message.payload = self.counted()?,
            kind if is_instruction(kind) => return Err(instruction(kind, task)?),
            _ => {
                let action = task.raw("do")?.unwrap_or_default().trim_matches('"');
                return Err(
                    Error::new(format!("unknown action `{action}`")).code("reference.unknown")
                );
            }
        }
        Ok(vec![message])
    }

    fn change_health(&mut self, task: &Object) -> Result<()> {
        self.changes += 1;
        let mut details = Object::new();
        details.set("changes", self.changes)?;
        details.set_raw("é", r#"["text",null,true]"#)?;
        let status = match needed::<String>(task, "status")?.as_str() {
            "degraded" => Status::Degraded,
            "unhealthy" => Status::Unhealthy,
            _ => Status::Healthy,
        };
        self.status = HealthStatus {
            status,
            message: needed(task, "message")?,
            details,
        };
        Ok(())
    }

    fn counted(&mut self) -> Result<Bytes> {
        self.count += 1;
        let mut payload = Object::new();
        payload.set("count", self.count)?;
        Ok(payload.into())
    }

    fn described_context(&self) -> Result<Bytes> {
        let mut payload = Object::new();
        payload.set("pipeline", &self.context.pipeline)?;
        payload.set("stage", &self.context.stage)?;
        payload.set("network", &self.context.network)?;
        payload.set("schemas", &self.context.schemas)?;
        Ok(payload.into())
    }
}

fn needed<T: FromJson>(task: &Object, name: &str) -> Result<T> {
    task.get(name)?
        .ok_or_else(|| Error::new(format!("field `{name}` is missing")))
}

fn dropped(task: &Object) -> Result<Vec<Message>> {
    match task.get::<String>("reason")? {
        Some(reason) => Err(Error::drop(reason)),
        None => Ok(Vec::new()),
    }
}

fn parts(message: &Message, task: &Object) -> Result<Vec<Message>> {
    let (count, own): (u32, Option<bool>) = (needed(task, "count")?, task.get("ids")?);
    let part = |index| {
        let mut part = Message::new("Reference.Part", format!("{{\"index\":{index}}}"));
        if own == Some(true) {
            part.id = format!("{}/{index}", message.id).into();
        }
        part
    };
    Ok((0..count).map(part).collect())
}

fn change(message: &mut Message, task: &Object) -> Result<()> {
    let places = [
        ("id", &mut message.id),
        ("type", &mut message.r#type),
        ("content_type", &mut message.content_type),
        ("trace_id", &mut message.trace_id),
    ];
    for (name, place) in places {
        if let Some(text) = task.get::<Text>(name)? {
            *place = text;
        }
    }
    if let Some(source) = task.object("source")? {
        let text = |name| needed::<Text>(&source, name);
        let source = SourceInfo {
            name: text("name")?,
            network: text("network")?,
            uri: text("uri")?,
        };
        message.source = Rc::new(source);
    }
    Ok(())
}

fn change_metadata(message: &mut Message, task: &Object) -> Result<()> {
    let entries = match task.object("set")? {
        Some(entries) => entries,
        None => return message.metadata.set("seen", true),
    };
    for name in entries.names()? {
        message
            .metadata
            .set_raw(&name, entries.raw(&name)?.unwrap_or("null"))?;
    }
    Ok(())
}

fn write_lines(task: &Object) -> Result<()> {
    for line in 0..needed::<u32>(task, "lines")? {
        log::debug!("a line of the reference processor"; line = line);
    }
    Ok(())
}

fn rewritten(task: &Object) -> Result<Bytes> {
    let mut payload = task.clone();
    payload.set("rewritten", true)?;
    Ok(payload.into())
}

fn big(task: &Object) -> Result<Bytes> {
    let mut payload = Object::new();
    payload.set("text", "x".repeat(needed(task, "size_bytes")?))?;
    Ok(payload.into())
}

fn described(message: &Message) -> Result<Bytes> {
    let mut source = Object::new();
    source.set("name", &message.source.name)?;
    source.set("network", &message.source.network)?;
    source.set("uri", &message.source.uri)?;
    let mut payload = Object::new();
    payload.set("id", &message.id)?;
    payload.set("type", &message.r#type)?;
    payload.set("metadata", &message.metadata)?;
    payload.set("source", source)?;
    payload.set("trace_id", &message.trace_id)?;
    payload.set("content_type", &message.content_type)?;
    Ok(payload.into())
}
