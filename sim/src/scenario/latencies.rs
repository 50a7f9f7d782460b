//! Laws of latency, as files write them.

use squall_nodes::Span;

use super::complaint::did_you_mean;
use super::desk::{Desk, Fields};
use super::places::{Item, Shape};
use crate::plan::Latency;

/// What each law looks like.
const FORMS: [(&str, &str); 7] = [
    ("Constant", "`Constant(\"3ms\")`"),
    ("Uniform", "`Uniform(\"1ms\", \"10ms\")`"),
    ("Normal", "`Normal(mean: \"20ms\", deviation: \"3ms\")`"),
    ("LogNormal", "`LogNormal(median: \"20ms\", sigma: 0.5)`"),
    ("Exponential", "`Exponential(mean: \"5ms\", min: \"1ms\")`"),
    ("Pareto", "`Pareto(min: \"1ms\", shape: 1.5)`"),
    ("Empirical", "`Empirical([\"80us\", \"100us\", \"5ms\"])`"),
];

/// What the parts of laws are called elsewhere, and here.
const CALLED: &[(&str, &str)] = &[
    ("scale", "min"),
    ("xm", "min"),
    ("alpha", "shape"),
    ("std", "deviation"),
    ("stddev", "deviation"),
    ("sigma", "deviation"),
    ("mu", "mean"),
    ("offset", "min"),
];

/// Reads a law of latency, of which nothing that can be said beforehand is longer than the run.
pub(super) fn latency<'f>(desk: &mut Desk<'f>, item: &'f Item, limit: Span) -> Option<Latency> {
    let head = desk.head(item).unwrap_or_default();
    match (head, &item.shape) {
        ("Constant", Shape::Tuple(parts)) if parts.len() == 1 => {
            bounded(desk, &parts[0], limit).map(Latency::Constant)
        }
        ("Uniform", Shape::Tuple(parts)) if parts.len() == 2 => uniform(desk, item, parts, limit),
        ("Empirical", Shape::Tuple(parts)) if parts.len() == 1 => empirical(desk, &parts[0], limit),
        ("Normal", Shape::Struct(_)) => {
            let fields = desk.fields_called(item, "`Normal`", &["mean", "deviation"], CALLED)?;
            let mean = part(desk, &fields, "mean", "\"20ms\"", limit);
            let deviation = part(desk, &fields, "deviation", "\"3ms\"", limit);
            Some(Latency::Normal {
                mean: mean?,
                deviation: deviation?,
            })
        }
        ("LogNormal", Shape::Struct(_)) => {
            let fields = desk.fields(item, "`LogNormal`", &["median", "sigma"])?;
            let median = something(desk, &fields, "median", "\"20ms\"", limit);
            let sigma = desk.required(&fields, "sigma", "0.5");
            let sigma = sigma.and_then(|item| {
                let sigma = desk.number(item)?;
                if sigma < 0.0 {
                    let hint = "it is a standard deviation: 0 or more".to_owned();
                    desk.complain(item.span.clone(), "`sigma` is less than nothing", Some(hint));
                }
                (sigma >= 0.0).then_some(sigma)
            });
            Some(Latency::LogNormal {
                median: median?,
                sigma: sigma?,
            })
        }
        ("Exponential", Shape::Struct(_)) => {
            let fields = desk.fields_called(item, "`Exponential`", &["mean", "min"], CALLED)?;
            let mean = something(desk, &fields, "mean", "\"5ms\"", limit);
            let min = match fields.get("min") {
                Some(item) => bounded(desk, item, limit),
                None => Some(Span::ZERO),
            };
            Some(Latency::Exponential {
                min: min?,
                mean: mean?,
            })
        }
        ("Pareto", Shape::Struct(_)) => {
            let fields = desk.fields_called(item, "`Pareto`", &["min", "shape"], CALLED)?;
            let min = something(desk, &fields, "min", "\"1ms\"", limit);
            let shape = desk.required(&fields, "shape", "1.5");
            let shape = shape.and_then(|item| {
                let shape = desk.number(item)?;
                if shape <= 0.0 {
                    let hint = "the smaller, the longer the tail: 1.5 has a mean, 1 has none".to_owned();
                    desk.complain(item.span.clone(), "`shape` is more than nothing", Some(hint));
                }
                (shape > 0.0).then_some(shape)
            });
            Some(Latency::Pareto {
                min: min?,
                shape: shape?,
            })
        }
        (head, _) => {
            match FORMS.iter().find(|(name, _)| *name == head) {
                Some((_, form)) => {
                    let message = format!("`{head}` does not look like this");
                    desk.complain(item.span.clone(), message, Some((*form).to_owned()));
                }
                None => {
                    let hint = match head {
                        "" => Some(format!("{}, or {}", FORMS[0].1, FORMS[1].1)),
                        head => did_you_mean(head, FORMS.map(|(name, _)| name)),
                    };
                    desk.complain(desk.point(item), "this is not a law of latency", hint);
                }
            }
            None
        }
    }
}

/// Whether a length of time is shorter than the run; complains when it is not.
pub(super) fn within_run(desk: &mut Desk<'_>, item: &Item, span: Span, limit: Span) -> bool {
    if span >= limit {
        let hint = format!("the run ends at {limit}");
        desk.complain(
            item.span.clone(),
            "this takes longer than the whole run",
            Some(hint),
        );
    }
    span < limit
}

fn uniform(desk: &mut Desk<'_>, item: &Item, parts: &[Item], limit: Span) -> Option<Latency> {
    let low = desk.span(&parts[0]);
    let high = desk.span(&parts[1]);
    let (low, high) = (low?, high?);
    if low > high {
        let hint = format!("write `Uniform(\"{high}\", \"{low}\")`");
        desk.complain(
            item.span.clone(),
            "the range of latency runs backwards",
            Some(hint),
        );
        return None;
    }
    within_run(desk, &parts[1], high, limit).then_some(Latency::Uniform(low, high))
}

/// Samples in any order; the plan has them ascending.
fn empirical<'f>(desk: &mut Desk<'f>, item: &'f Item, limit: Span) -> Option<Latency> {
    let before = desk.count();
    let items = desk.filled_list(item, "measured latencies");
    let mut samples: Vec<Span> = items
        .iter()
        .filter_map(|item| bounded(desk, item, limit))
        .collect();
    samples.sort_unstable();
    (desk.count() == before).then(|| Latency::Empirical(samples.into()))
}

/// A part of a law that has to be there, shorter than the run.
fn part<'f>(
    desk: &mut Desk<'f>,
    fields: &Fields<'f>,
    name: &str,
    example: &str,
    limit: Span,
) -> Option<Span> {
    let item = desk.required(fields, name, example)?;
    bounded(desk, item, limit)
}

/// The same of a part that everything else is a multiple of.
fn something<'f>(
    desk: &mut Desk<'f>,
    fields: &Fields<'f>,
    name: &str,
    example: &str,
    limit: Span,
) -> Option<Span> {
    let item = desk.required(fields, name, example)?;
    let span = bounded(desk, item, limit)?;
    if span.is_zero() {
        let hint = "`Constant(\"0s\")` is what takes no time".to_owned();
        desk.complain(item.span.clone(), format!("`{name}` is nothing"), Some(hint));
    }
    (!span.is_zero()).then_some(span)
}

fn bounded(desk: &mut Desk<'_>, item: &Item, limit: Span) -> Option<Span> {
    let span = desk.span(item)?;
    within_run(desk, item, span, limit).then_some(span)
}
