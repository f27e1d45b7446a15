//! The allocator of a guest: it remembers that memory was asked for and there was none.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

static EXHAUSTED: AtomicBool = AtomicBool::new(false);

/// Tells whether memory has run out since [`forget`].
pub(crate) fn is_exhausted() -> bool {
    EXHAUSTED.load(Ordering::Relaxed)
}

/// Begins anew: a call that went on without the memory has not failed for want of it.
pub(crate) fn forget() {
    EXHAUSTED.store(false, Ordering::Relaxed);
}

/// The system's allocator, watched.
#[cfg_attr(not(feature = "allocator"), allow(dead_code))]
pub(crate) struct Watched;

fn watched(address: *mut u8) -> *mut u8 {
    if address.is_null() {
        EXHAUSTED.store(true, Ordering::Relaxed);
    }
    address
}

// SAFETY: all is the system's allocator, which gets what the caller has promised.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        watched(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        watched(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, address: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        watched(unsafe { System.realloc(address, layout, size) })
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        unsafe { System.dealloc(address, layout) }
    }
}

#[cfg(feature = "allocator")]
#[global_allocator]
static ALLOCATOR: Watched = Watched;
