//! Reads and changes a message the Extism way: the same JSON code as `change_rust`, bytes through
//! Extism's memory eight at a time, as its kits do.

use cdpplugin::{Bytes, Object, Result};

#[link(wasm_import_module = "extism:host/env")]
extern "C" {
    fn input_length() -> u64;
    fn input_load_u64(at: u64) -> u64;
    fn input_load_u8(at: u64) -> u32;
    fn alloc(size: u64) -> u64;
    fn store_u64(at: u64, value: u64);
    fn store_u8(at: u64, value: u32);
    fn output_set(at: u64, size: u64);
}

fn input() -> Vec<u8> {
    let size = unsafe { input_length() };
    let mut held = Vec::with_capacity(size as usize);
    let mut at = 0;
    while at + 8 <= size {
        held.extend_from_slice(&unsafe { input_load_u64(at) }.to_le_bytes());
        at += 8;
    }
    while at < size {
        held.push(unsafe { input_load_u8(at) } as u8);
        at += 1;
    }
    held
}

fn output(text: &[u8]) {
    let at = unsafe { alloc(text.len() as u64) };
    let mut chunks = text.chunks_exact(8);
    let mut place = at;
    for chunk in &mut chunks {
        let value = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
        unsafe { store_u64(place, value) };
        place += 8;
    }
    for byte in chunks.remainder() {
        unsafe { store_u8(place, u32::from(*byte)) };
        place += 1;
    }
    unsafe { output_set(at, text.len() as u64) };
}

fn changed(text: Vec<u8>) -> Result<Bytes> {
    let mut payload = Object::parse(text)?;
    payload.set("processed", true)?;
    Ok(payload.into_json())
}

#[no_mangle]
pub extern "C" fn process() -> i32 {
    match changed(input()) {
        Ok(text) => {
            output(&text);
            0
        }
        Err(_) => 1,
    }
}
