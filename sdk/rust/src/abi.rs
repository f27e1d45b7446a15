//! The WebAssembly side of the ABI: memory, answers as records, panics, and what is imported.
//!
//! A WebAssembly instance has one thread, and the host makes one call at a time.

#![allow(unsafe_code)]

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic;

use crate::guest::{status, Answer, Guest, Input};
use crate::log::{self, Level};
use crate::writer::HEADROOM;

#[link(wasm_import_module = "cdp")]
extern "C" {
    #[link_name = "log"]
    fn host_log(level: i32, address: *const u8, size: usize);
}

/// Hands a log line to the host.
pub(crate) fn log(level: i32, line: &[u8]) {
    // SAFETY: the host reads the line while the call lasts.
    unsafe { host_log(level, line.as_ptr(), line.len()) }
}

/// Something that only one thread and one call can reach.
struct Single<T>(UnsafeCell<T>);

// SAFETY: a WebAssembly instance has one thread.
unsafe impl<T> Sync for Single<T> {}

impl<T> Single<T> {
    const fn new(value: T) -> Self {
        Single(UnsafeCell::new(value))
    }

    /// # Safety
    ///
    /// Nobody else holds a reference to it while the one returned lives.
    #[allow(clippy::mut_from_ref)]
    unsafe fn get(&self) -> &mut T {
        unsafe { &mut *self.0.get() }
    }
}

static GUEST: Single<Option<Box<dyn Guest>>> = Single::new(None);
static INPUT: Single<Vec<u8>> = Single::new(Vec::new());
static ANSWER: Single<Vec<u8>> = Single::new(Vec::new());
static RECORD: Single<[u32; 3]> = Single::new([0; 3]);
static PANIC: Single<Option<String>> = Single::new(None);

/// Makes room for an input, in place of the last answer; 0 where there is none.
pub fn alloc(size: u32) -> u32 {
    // SAFETY: no call is in progress.
    let (input, answer) = unsafe { (INPUT.get(), ANSWER.get()) };
    *answer = Vec::new();
    *input = Vec::new();
    if input.try_reserve_exact(size as usize + HEADROOM).is_err() {
        return 0;
    }
    input.resize(HEADROOM, 0);
    input.as_ptr() as u32 + HEADROOM as u32
}

/// Takes the input that the host has written where [`alloc`] said.
fn taken(address: u32, size: u32) -> Input {
    // SAFETY: the reference ends with this statement.
    let mut bytes = std::mem::take(unsafe { INPUT.get() });
    let room = bytes.capacity().saturating_sub(HEADROOM);
    assert!(
        address == bytes.as_ptr() as u32 + HEADROOM as u32 && size as usize <= room,
        "expected an input where `alloc` made room for it, got {size} bytes at {address}"
    );
    // SAFETY: the capacity was checked; the host has written the bytes.
    unsafe { bytes.set_len(HEADROOM + size as usize) };
    Input {
        bytes,
        start: HEADROOM,
    }
}

/// Makes a call without input; returns the address of the answer's record.
pub fn ask(make: fn() -> Box<dyn Guest>, call: impl FnOnce(&mut dyn Guest) -> Answer) -> u32 {
    crate::allocator::forget();
    // SAFETY: the host makes one call at a time.
    let guest = unsafe { GUEST.get() };
    if guest.is_none() {
        panic::set_hook(Box::new(|info| {
            let place = info
                .location()
                .map(|place| format!("{}:{}", place.file(), place.line()));
            note_panic(info.payload(), &place.unwrap_or_default());
        }));
    }
    answer(call(guest.get_or_insert_with(make).as_mut()))
}

/// Makes a call with an input; returns the address of the answer's record.
pub fn hand(
    make: fn() -> Box<dyn Guest>,
    address: u32,
    size: u32,
    call: impl FnOnce(&mut dyn Guest, Input) -> Answer,
) -> u32 {
    let input = taken(address, size);
    ask(make, |guest| call(guest, input))
}

/// Keeps an answer until the next call, and returns the address of its record.
fn answer(given: Answer) -> u32 {
    // SAFETY: the last answer is no longer read once a call has come.
    let (held, record) = unsafe { (ANSWER.get(), RECORD.get()) };
    *held = given.bytes;
    let bytes = &held[given.start..];
    *record = [given.status, bytes.as_ptr() as u32, bytes.len() as u32];
    record.as_ptr() as u32
}

fn note_panic(payload: &(dyn Any + Send), place: &str) {
    let text = match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "panicked with something that is no text",
    };
    log::write(Level::Error, text, &[("panicked_at", &place)]);
    // SAFETY: nobody holds a reference; a panic ends the instance.
    unsafe { *PANIC.get() = Some(text.to_string()) };
}

/// Says what is known of a trap. Memory may be out: nothing is asked for.
pub fn failure() -> u32 {
    // SAFETY: the call that trapped is over.
    let (panic, record) = unsafe { (PANIC.get(), RECORD.get()) };
    *record = match panic {
        Some(text) => [status::ERROR, text.as_ptr() as u32, text.len() as u32],
        None if crate::allocator::is_exhausted() => [status::MEMORY, 0, 0],
        None => [status::OK, 0, 0],
    };
    record.as_ptr() as u32
}
