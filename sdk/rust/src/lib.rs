#![cfg_attr(feature = "serde", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "serde"),
    doc = "Write a plugin of CDP Pipeline in Rust; see README.md."
)]
#![deny(missing_docs, unsafe_op_in_unsafe_fn)]

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod abi;
#[cfg(target_arch = "wasm32")]
mod allocator;
mod answers;
mod batch;
mod bytes;
mod collector;
mod columns;
mod config;
#[cfg(feature = "serde")]
mod decoding;
mod error;
mod faults;
mod fields;
#[doc(hidden)]
pub mod guest;
mod json;
pub mod log;
mod message;
mod metadata;
mod object;
mod outputs;
mod processor;
mod single;
pub mod testing;
mod text;
#[cfg(feature = "serde")]
mod typed;
mod wire;
mod writer;

pub use batch::Batch;
pub use bytes::Bytes;
pub use collector::OutputCollector;
pub use columns::Column;
pub use config::Config;
pub use error::{codes, Error, Instruction, Result};
pub use json::{elements, FromJson, ToJson};
pub use message::{Message, SourceInfo, CONTENT_TYPE_JSON};
pub use metadata::{Encoding, Metadata, ResourceRequirements, ABI, SDK};
pub use object::Object;
pub use outputs::Outputs;
pub use processor::{each_message, Context, HealthStatus, IntoMessages, Processor, Status};
pub use text::Text;

#[cfg(feature = "serde")]
pub use serde_json;

/// Makes a crate a plugin: the exports of the WebAssembly ABI, and a function `cdp_plugin()` for
/// tests.
///
/// ```
/// # mod one { use cdpplugin::{Message, Metadata, Result};
/// fn process(message: Message) -> Result<Option<Message>> {
///     Ok(Some(message))
/// }
///
/// cdpplugin::processor! { Metadata::new("my-plugin", "1.0.0"), process }
/// # }
/// ```
///
/// | | |
/// |---|---|
/// | `processor! { METADATA, FUNCTION }` | a function for one [`Message`], which returns a [`Result`] of what is [`IntoMessages`] |
/// | `processor! { METADATA, batch FUNCTION }` | a function `fn(&Batch) -> Result<Outputs>` |
/// | `processor! { PROCESSOR }` | a value that is a [`Processor`] |
#[macro_export]
macro_rules! processor {
    ($metadata:expr, batch $function:expr $(,)?) => {
        $crate::__plugin! { $crate::guest::batch_function($metadata, $function) }
    };
    ($metadata:expr, $function:expr $(,)?) => {
        $crate::__plugin! { $crate::guest::message_function($metadata, $function) }
    };
    ($processor:expr $(,)?) => {
        $crate::__plugin! { $crate::guest::processor($processor) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __plugin {
    ($guest:expr) => {
        /// Returns this plugin, as the host sees it.
        pub fn cdp_plugin() -> ::std::boxed::Box<dyn $crate::guest::Guest> {
            $guest
        }

        #[cfg(target_arch = "wasm32")]
        mod cdp_exports {
            use super::cdp_plugin;
            use $crate::abi::{ask, hand};

            #[no_mangle]
            extern "C" fn alloc(size: u32) -> u32 {
                $crate::abi::alloc(size)
            }

            #[no_mangle]
            extern "C" fn metadata() -> u32 {
                ask(cdp_plugin, |guest| guest.metadata())
            }

            #[no_mangle]
            extern "C" fn configure(address: u32, size: u32) -> u32 {
                hand(cdp_plugin, address, size, |guest, config| {
                    guest.configure(config)
                })
            }

            #[no_mangle]
            extern "C" fn start(address: u32, size: u32) -> u32 {
                hand(cdp_plugin, address, size, |guest, context| {
                    guest.start(context)
                })
            }

            #[no_mangle]
            extern "C" fn process(address: u32, size: u32) -> u32 {
                hand(cdp_plugin, address, size, |guest, message| {
                    guest.process(message)
                })
            }

            #[no_mangle]
            extern "C" fn process_batch(address: u32, size: u32) -> u32 {
                hand(cdp_plugin, address, size, |guest, batch| {
                    guest.process_batch(batch)
                })
            }

            #[no_mangle]
            extern "C" fn health() -> u32 {
                ask(cdp_plugin, |guest| guest.health())
            }

            #[no_mangle]
            extern "C" fn stop() -> u32 {
                ask(cdp_plugin, |guest| guest.stop())
            }

            #[no_mangle]
            extern "C" fn export_state() -> u32 {
                ask(cdp_plugin, |guest| guest.export_state())
            }

            #[no_mangle]
            extern "C" fn import_state(address: u32, size: u32) -> u32 {
                hand(cdp_plugin, address, size, |guest, state| {
                    guest.import_state(state)
                })
            }

            #[no_mangle]
            extern "C" fn failure() -> u32 {
                $crate::abi::failure()
            }
        }
    };
}
