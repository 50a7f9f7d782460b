//! A deployment as a file, which is read as the same deployment.

use squall_nodes::{Node, Placed, Protocol, ron_options};

use super::file::FORMAT;
use super::{Bounds, Deployment, Recording, Streams};
use crate::scenario::laws::SIZES;
use crate::scenario::resolved::network::amount;
use crate::scenario::resolved::page::Page;
use crate::scenario::resolved::ron;
use crate::scenario::resolved::settings::Tree;

impl<P: Protocol> Deployment<P> {
    /// It as a file, with everything written out but what is of streams as it is when nothing is said. The settings that are its profile's
    /// own are comments, which name all that can be set.
    pub fn printed(&self) -> String {
        let Deployment {
            story,
            rules,
            profile,
            placed,
            data,
            seed,
            record,
            http,
            control,
            lines,
            bounds,
            streams,
            tls,
        } = self;
        let Placed {
            name,
            ip,
            role,
            config,
        } = placed;
        let mut page = Page::new();
        for line in story.lines() {
            page.comment(line);
        }
        page.open("Node(");
        page.field("format", FORMAT);
        page.field("protocol", text(P::NAME));
        page.field("rules", text(rules));
        page.field("profile", text(profile));
        page.field("name", text(name));
        page.field("role", ron::<<P::Node as Node>::Role>(role));
        page.field("address", format_args!("\"{ip}\""));
        let (all, of_profile) = (Tree::of(config), Tree::of(&P::config(profile, rules)));
        let own = Tree::in_place_of(std::slice::from_ref(&all), &[of_profile]);
        all.write_over(own.as_ref(), &mut page, "config");
        let path = |path: &std::path::Path| text(&path.to_string_lossy());
        if let Some(data) = data {
            page.field("data", path(data));
        }
        if let Some(seed) = seed {
            page.field("seed", seed);
        }
        if let Some(record) = record {
            let Recording {
                folder,
                bound,
                when_full,
                keep,
            } = record;
            let (folder, bound) = (path(folder), amount(*bound, &SIZES));
            page.field(
                "record",
                format_args!(
                    "(folder: {folder}, bound: \"{bound}\", when_full: {when_full:?}, keep: {keep})"
                ),
            );
        }
        if let Some(http) = http {
            page.field("http", format_args!("\"{http}\""));
        }
        for (name, file) in [("control", control), ("lines", lines)] {
            if let Some(file) = file {
                page.field(name, path(file));
            }
        }
        let Bounds {
            inbox,
            waiting,
            delayed,
        } = bounds;
        let [inbox, waiting, delayed] = [inbox, waiting, delayed].map(|bytes| amount(*bytes, &SIZES));
        page.field(
            "bounds",
            format_args!("(inbox: \"{inbox}\", waiting: \"{waiting}\", delayed: \"{delayed}\")"),
        );
        if *streams != Streams::default() {
            streams.print(&mut page);
        }
        if let Some(tls) = tls {
            tls.print(&mut page);
        }
        page.close(")");
        page.finish()
    }
}

/// Text in quotes, with whatever is in it escaped.
pub(super) fn text(text: &str) -> String {
    // A string can always be written.
    ron_options().to_string(text).unwrap_or_default()
}
