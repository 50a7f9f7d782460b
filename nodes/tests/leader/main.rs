//! leader's behaviour: its messages under any bytes and any cuts ([`wire`]).

mod wire;
