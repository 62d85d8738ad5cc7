//! The arguments of `occlude serve`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::{HowFlags, WhatFlags};

pub(crate) const SERVE_EXAMPLES: &str = "\
Examples:
  occlude serve model.onnx cat.jpg --open
  occlude serve efficientnet-lite0/ --window 32 --stride 8
  occlude serve                              choose model and picture on the page
  occlude serve model.onnx --host 0.0.0.0    for other machines: the address printed has a token

Ctrl-C stops the server.";

/// `occlude serve`
#[derive(Args, Debug)]
pub(crate) struct ServeArguments {
    /// An .onnx file or a model folder; without one the page asks for an .onnx file
    pub(crate) model: Option<PathBuf>,
    /// A picture or a .npy tensor that the page begins with
    pub(crate) input: Option<PathBuf>,
    /// Open the page in the browser
    #[arg(long, help_heading = "Server")]
    pub(crate) open: bool,
    /// Where to listen [default: 7423, or the next free one]
    #[arg(long, value_name = "PORT", help_heading = "Server")]
    pub(crate) port: Option<u16>,
    /// The address to listen at; for any but this machine's own the page wants a token, which is printed
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", help_heading = "Server")]
    pub(crate) host: IpAddr,
    /// Want a token on this machine too, where others use it; one is drawn if none is given in OCCLUDE_TOKEN
    #[arg(long, help_heading = "Server")]
    pub(crate) token: bool,
    /// The largest file that the page may send [default: 64M; a model: 16 times that]
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "64M",
        hide_default_value = true,
        help_heading = "Server"
    )]
    pub(crate) upload_limit: String,
    #[command(flatten)]
    pub(crate) what: WhatFlags,
    #[command(flatten)]
    pub(crate) how: HowFlags,
}
