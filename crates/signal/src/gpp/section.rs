//! Sections of the United States: one walk over the tables reads, one writes.

use super::layout::{self, Field, Kind, Layout, Second};
use super::{FieldValue, UsSection};
use crate::SignalError;
use crate::bits::{BitReader, BitWriter};

/// The type bits of the subsection with Global Privacy Control.
const GPC_TYPE: u64 = 1;

/// Reads the section `id` from its text. What lies after the last field is not looked at, as in IAB's library:
/// strings are in use in which an earlier layout was longer.
pub(super) fn decode(id: u16, text: &str) -> Result<UsSection, SignalError> {
    let mut segments = text.split('.');
    let core = segments.next().unwrap_or_default();
    let mut bits = BitReader::of(core)?;
    let layout = version(id, bits.clone())?;
    let mut fields = Vec::new();
    read(&mut bits, wire(layout, core.len()).core, &mut fields)?;
    let undeclared = undeclared(layout, &mut fields);
    let mut section = UsSection { fields, undeclared, gpc: None };
    if let Some(second) = segments.next() {
        let mut bits = BitReader::of(second)?;
        match layout.second {
            Second::Nothing => return Err(SignalError::new(705, "this section has no subsection, and here is one")),
            Second::Gpc => section.gpc = Some(gpc(&mut bits)?),
            Second::Fields(fields) => read(&mut bits, fields, &mut section.fields)?,
        }
    }
    match segments.next() {
        Some(_) => Err(SignalError::new(705, "this section has one subsection, and here are more")),
        None => Ok(section),
    }
}

/// Writes the section `id`.
pub(super) fn encode(id: u16, section: &UsSection) -> Result<String, SignalError> {
    let version = match section.fields.first() {
        Some((_, FieldValue::Number(version))) => *version,
        _ => return Err(SignalError::new(705, "the first field is not the version")),
    };
    let layout = layout::of(id, version).ok_or_else(|| unknown(version))?;
    let (core, rest) = section.fields.split_at_checked(layout.core.len()).unwrap_or((&section.fields, &[]));
    let mut text = write(core, layout.core)?;
    if !section.undeclared.is_empty() {
        text = write_longer(id, version, core, &section.undeclared)?;
    }
    let second = match (layout.second, section.gpc) {
        (Second::Gpc, Some(gpc)) if rest.is_empty() => {
            let mut bits = BitWriter::default();
            bits.number(GPC_TYPE, 2);
            bits.flag(gpc);
            Some(bits.into_text(8))
        }
        (Second::Fields(layout), None) if !rest.is_empty() => Some(write(rest, layout)?),
        (_, None) if rest.is_empty() => None,
        (_, Some(_)) if rest.is_empty() => return Err(SignalError::new(705, "Gpc is no field of this section")),
        _ => return Err(SignalError::new(705, "there are more fields than the section has")),
    };
    if let Some(second) = second {
        text.push('.');
        text.push_str(&second);
    }
    Ok(text)
}

/// Gives the lists the length that the declared version has, and returns what was too much, if it says anything.
fn undeclared(layout: &Layout, fields: &mut [(&'static str, FieldValue)]) -> Vec<(&'static str, FieldValue)> {
    let mut undeclared = Vec::new();
    let mut says_anything = false;
    for ((name, value), field) in fields.iter_mut().zip(layout.core) {
        if let (FieldValue::List(values), Kind::Values(count)) = (value, field.kind) {
            let more = values.split_off(count.min(values.len()));
            values.resize(count, 0);
            says_anything |= more.iter().any(|value| *value != 0);
            if !more.is_empty() {
                undeclared.push((*name, FieldValue::List(more)));
            }
        }
    }
    if says_anything { undeclared } else { Vec::new() }
}

/// Writes the core with values that the version does not declare: in the layout of the next one.
fn write_longer(id: u16, version: u8, core: &[(&'static str, FieldValue)], undeclared: &[(&'static str, FieldValue)]) -> Result<String, SignalError> {
    let longer = layout::of(id, version.saturating_add(1)).ok_or_else(|| SignalError::new(705, "no version of this section has longer lists"))?;
    let mut fields = core.to_vec();
    for (name, value) in &mut fields {
        let more = undeclared.iter().find(|(more, _)| more == name).map(|(_, value)| value);
        if let (FieldValue::List(values), Some(FieldValue::List(more))) = (value, more) {
            values.extend(more);
        }
    }
    write(&fields, longer.core)
}

/// The layout of the version with which the section begins.
fn version(id: u16, mut bits: BitReader) -> Result<&'static Layout, SignalError> {
    let version = bits.number(6, "Version")?;
    u8::try_from(version).ok().and_then(|version| layout::of(id, version)).ok_or_else(|| unknown(version).at(0))
}

fn unknown(version: impl std::fmt::Display) -> SignalError {
    SignalError::new(704, format!("version {version} of this section is not known"))
}

/// The layout in which the bits lie. Both versions of the national section were in use with either length of
/// its lists; like IAB's library, the length of the text tells: 10 or 11 letters are the shorter lists. What
/// the version has more is then 0, what it has less is not declared.
fn wire(layout: &'static Layout, letters: usize) -> &'static Layout {
    let version = if matches!(letters, 10 | 11) { 1 } else { 2 };
    // Only the national section has a version 2; every other section lies as its own version says. A text
    // too short for either is told by the version's own layout.
    let is_national = layout::of(layout.id, 2).is_some();
    if is_national && letters >= 10 { layout::of(layout.id, version).unwrap_or(layout) } else { layout }
}

fn read(bits: &mut BitReader, layout: &[Field], fields: &mut Vec<(&'static str, FieldValue)>) -> Result<(), SignalError> {
    for Field { name, kind } in layout {
        let value = match kind {
            Kind::Version => FieldValue::Number(number(bits, 6, name)?),
            Kind::Value => FieldValue::Number(number(bits, 2, name)?),
            Kind::Values(count) => FieldValue::List((0..*count).map(|_| number(bits, 2, name)).collect::<Result<_, _>>()?),
        };
        fields.push((name, value));
    }
    Ok(())
}

fn number(bits: &mut BitReader, width: usize, name: &str) -> Result<u8, SignalError> {
    let place = bits.place();
    let number = u8::try_from(bits.number(width, name)?).unwrap_or(u8::MAX);
    allowed(number, width, name).map_err(|error| error.at(place))
}

/// Two bits hold 0, 1 or 2. That `MspaCoveredTransaction` be 1 or 2 is asked by the standard and not by IAB's
/// library, and 0 is in use.
fn allowed(number: u8, width: usize, name: &str) -> Result<u8, SignalError> {
    let most = if width == 2 { 2 } else { 63 };
    if number <= most { Ok(number) } else { Err(SignalError::new(703, format!("{name} cannot be {number}"))) }
}

fn gpc(bits: &mut BitReader) -> Result<bool, SignalError> {
    let kind = bits.number(2, "GpcSegmentType")?;
    if kind != GPC_TYPE {
        return Err(SignalError::new(703, format!("GpcSegmentType cannot be {kind}")).at(0));
    }
    bits.flag("Gpc")
}

fn write(fields: &[(&'static str, FieldValue)], layout: &[Field]) -> Result<String, SignalError> {
    let mut bits = BitWriter::default();
    let mut given = fields.iter();
    for Field { name, kind } in layout {
        let value = given.next().filter(|(given, _)| given == name).map(|(_, value)| value);
        match (value, kind) {
            (Some(FieldValue::Number(value)), Kind::Version) => bits.number(allowed(*value, 6, name)?.into(), 6),
            (Some(FieldValue::Number(value)), Kind::Value) => bits.number(allowed(*value, 2, name)?.into(), 2),
            (Some(FieldValue::List(values)), Kind::Values(count)) if values.len() == *count => {
                for value in values {
                    bits.number(allowed(*value, 2, name)?.into(), 2);
                }
            }
            _ => return Err(SignalError::new(705, format!("{name} is not there, or of another kind or length")).at(bits.len())),
        }
    }
    match given.next() {
        Some((name, _)) => Err(SignalError::new(705, format!("{name} is no field of this section"))),
        None => Ok(bits.into_text(8)),
    }
}
