//! Runs Wasm kernels under other engines for `bench/peers.ts`. One JSON object per line comes in,
//! one goes out; a kernel stays loaded between requests, so that the caller can interleave engines.
//!
//! {"op":"load","engine":"rwasm","kernel":"fib","wasm":"<hex>","entry":"main"}
//!   -> {"nanoseconds":123}
//! {"op":"run","engine":"rwasm","kernel":"fib","args":[["i32","27"]],"results":["i32"],"times":5}
//!   -> {"nanoseconds":[...],"results":["196418"],"fuel":"...","memory":"<FNV-1a-64>"}
//!
//! Numbers that may pass 2^53 travel as decimal strings of their unsigned bits. Every run gets a
//! fresh instance, which is not timed. An error answers {"error":"..."}; the end of input ends us.

mod reference;
mod wasmi_engine;

use serde_json::{json, Value as Json};
use std::collections::HashMap;
use std::io::{stdin, stdout, BufRead, Write};
use std::time::Instant;

/// A value as it travels: type name and unsigned bits.
#[derive(Clone, Debug)]
pub struct Bits {
    pub ty: String,
    pub bits: u64,
}

/// What one run gave.
pub struct Run {
    pub nanoseconds: u64,
    pub results: Vec<u64>,
    /// Fuel of the call alone, without instantiation.
    pub fuel: u64,
    /// Final memory; empty when the module has none, or none that can be seen.
    pub memory: Vec<u8>,
}

/// A loaded kernel of some engine.
pub trait Kernel {
    /// Runs the entry point on a fresh instance.
    fn run(&self, args: &[Bits], results: &[String]) -> Result<Run, String>;
}

fn main() {
    let mut kernels: HashMap<(String, String), Box<dyn Kernel>> = HashMap::new();
    let mut out = stdout().lock();
    for line in stdin().lock().lines() {
        let answer = match line.map_err(|error| error.to_string()) {
            Ok(line) => answer(&line, &mut kernels).unwrap_or_else(|error| json!({ "error": error })),
            Err(error) => json!({ "error": error }),
        };
        if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
            return; // nobody listens any more
        }
    }
}

fn answer(line: &str, kernels: &mut HashMap<(String, String), Box<dyn Kernel>>) -> Result<Json, String> {
    let request: Json = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let key = (text(&request, "engine")?, text(&request, "kernel")?);
    match text(&request, "op")?.as_str() {
        "load" => {
            let wasm = from_hex(&text(&request, "wasm")?)?;
            let entry = text(&request, "entry")?;
            let start = Instant::now();
            let kernel: Box<dyn Kernel> = match key.0.as_str() {
                "rwasm" => Box::new(reference::load(&wasm, &entry)?),
                "wasmi" => Box::new(wasmi_engine::load(&wasm, &entry)?),
                other => return Err(format!("no engine is called {other}")),
            };
            let nanoseconds = start.elapsed().as_nanos() as u64;
            kernels.insert(key, kernel);
            Ok(json!({ "nanoseconds": nanoseconds }))
        }
        "run" => {
            let kernel = kernels.get(&key).ok_or_else(|| format!("{} is not loaded in {}", key.1, key.0))?;
            run(kernel.as_ref(), &request)
        }
        other => Err(format!("no operation is called {other}")),
    }
}

fn run(kernel: &dyn Kernel, request: &Json) -> Result<Json, String> {
    let args = list(request, "args")?.iter().map(to_bits).collect::<Result<Vec<_>, _>>()?;
    let results = list(request, "results")?
        .iter()
        .map(|ty| ty.as_str().map(str::to_owned).ok_or("a result type is not text"))
        .collect::<Result<Vec<_>, _>>()?;
    let times = request["times"].as_u64().unwrap_or(1).max(1);
    let mut nanoseconds = Vec::new();
    for _ in 1..times {
        nanoseconds.push(kernel.run(&args, &results)?.nanoseconds);
    }
    let last = kernel.run(&args, &results)?;
    nanoseconds.push(last.nanoseconds);
    Ok(json!({
        "nanoseconds": nanoseconds,
        "results": last.results.iter().map(u64::to_string).collect::<Vec<_>>(),
        "fuel": last.fuel.to_string(),
        "memory": format!("{:016x}", fnv1a64(&last.memory)),
    }))
}

fn text(request: &Json, key: &str) -> Result<String, String> {
    request[key].as_str().map(str::to_owned).ok_or_else(|| format!("{key} is missing or not text"))
}

fn list<'a>(request: &'a Json, key: &str) -> Result<&'a Vec<Json>, String> {
    request[key].as_array().ok_or_else(|| format!("{key} is missing or not a list"))
}

fn to_bits(pair: &Json) -> Result<Bits, String> {
    let ty = pair[0].as_str().ok_or("an argument has no type")?.to_owned();
    let bits = pair[1].as_str().and_then(|bits| bits.parse().ok()).ok_or("an argument has no bits")?;
    Ok(Bits { ty, bits })
}

fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    if text.len() % 2 != 0 || !text.is_ascii() {
        return Err("wasm is not hexadecimal".into());
    }
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|error| error.to_string()))
        .collect()
}

fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf29ce484222325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100000001b3))
}
