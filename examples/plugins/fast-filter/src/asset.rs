//! Which asset a payload is about, and whether it is one of those asked for.

use std::borrow::Cow;

use cdpplugin::{Error, Object, Result};

use crate::value::text_of;

/// An asset that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The network's own.
    Native,
    /// Whatever has this code, of any issuer.
    Code(String),
    /// The one with this code and issuer.
    Issued(String, String),
}

impl Wanted {
    /// Reads `native`, `XLM`, `CODE` or `CODE:ISSUER`.
    pub fn read(text: &str) -> Result<Self> {
        let (code, issuer) = text.split_once(':').unwrap_or((text, ""));
        let issued = text.contains(':');
        if code.is_empty() || issued && issuer.is_empty() {
            return Err(Error::invalid(format!(
                "`asset_filter`: expected `native`, `CODE` or `CODE:ISSUER`, got `{text}`"
            ))
            .hint("change `asset_filter`"));
        }
        Ok(match issued {
            true => Wanted::Issued(code.to_string(), issuer.to_string()),
            false if is_native(code) => Wanted::Native,
            false => Wanted::Code(code.to_string()),
        })
    }
}

fn is_native(code: &str) -> bool {
    code == "native" || code == "XLM"
}

/// The asset that a payload names. Of the native one the issuer is empty.
struct Named<'a> {
    code: Cow<'a, str>,
    issuer: Cow<'a, str>,
}

/// Tells whether a payload is about one of the assets; or nothing where it names none.
pub fn is_wanted(wanted: &[Wanted], payload: &Object) -> Result<Option<bool>> {
    let named = match named(payload)? {
        Some(named) => named,
        None => return Ok(None),
    };
    let native = named.issuer.is_empty() && is_native(&named.code);
    Ok(Some(wanted.iter().any(|each| match each {
        Wanted::Native => native,
        Wanted::Code(code) => !native && named.code == code.as_str(),
        Wanted::Issued(code, issuer) => {
            named.code == code.as_str() && named.issuer == issuer.as_str()
        }
    })))
}

/// Reads `asset_code` and `asset_issuer`, else `asset`, else `asset_type`.
fn named(payload: &Object) -> Result<Option<Named<'_>>> {
    let text = |name| {
        Ok::<_, Error>(
            payload
                .raw(name)?
                .and_then(text_of)
                .filter(|text| !text.is_empty()),
        )
    };
    if let Some(code) = text("asset_code")? {
        let issuer = text("asset_issuer")?.unwrap_or_default();
        return Ok(Some(Named { code, issuer }));
    }
    if let Some(asset) = text("asset")? {
        let (code, issuer) = match asset.split_once(':') {
            Some((code, issuer)) => (code.to_string().into(), issuer.to_string().into()),
            None => (asset, Cow::Borrowed("")),
        };
        return Ok(Some(Named { code, issuer }));
    }
    let native = text("asset_type")?.filter(|kind| kind == "native");
    Ok(native.map(|code| Named {
        code,
        issuer: Cow::Borrowed(""),
    }))
}
