//! The crate wasmi 2, an interpreter that lowers Wasm to register code, with fuel.

use crate::{Bits, Kernel, Run};
use std::time::Instant;
use wasmi::{Config, Engine, Linker, Module, Store, Val, F32, F64};

/// A compiled module.
pub struct Wasmi {
    engine: Engine,
    module: Module,
    entry: String,
}

/// Compiles a module; `entry` is the export that runs.
pub fn load(wasm: &[u8], entry: &str) -> Result<Wasmi, String> {
    let mut config = Config::default();
    config.consume_fuel(true);
    let engine = Engine::new(&config);
    let module = Module::new(&engine, wasm).map_err(|error| error.to_string())?;
    Ok(Wasmi { engine, module, entry: entry.to_owned() })
}

impl Kernel for Wasmi {
    fn run(&self, args: &[Bits], results: &[String]) -> Result<Run, String> {
        let args = args.iter().map(|arg| value(&arg.ty, arg.bits)).collect::<Result<Vec<_>, _>>()?;
        let mut values = results.iter().map(|ty| value(ty, 0)).collect::<Result<Vec<_>, _>>()?;
        let mut store = Store::new(&self.engine, ());
        store.set_fuel(u64::MAX).map_err(|error| error.to_string())?;
        let instance = Linker::<()>::new(&self.engine)
            .instantiate_and_start(&mut store, &self.module)
            .map_err(|error| error.to_string())?;
        let function = instance.get_func(&store, &self.entry).ok_or("the entry point is not exported")?;
        let before = store.get_fuel().map_err(|error| error.to_string())?;
        let start = Instant::now();
        let ending = function.call(&mut store, &args, &mut values);
        let nanoseconds = start.elapsed().as_nanos() as u64;
        ending.map_err(|error| error.to_string())?;
        let after = store.get_fuel().map_err(|error| error.to_string())?;
        let memory = instance.get_memory(&store, "memory").map(|memory| memory.data(&store).to_vec());
        Ok(Run {
            nanoseconds,
            results: values.iter().map(bits).collect::<Result<Vec<_>, _>>()?,
            fuel: before - after,
            memory: memory.unwrap_or_default(),
        })
    }
}

fn value(ty: &str, bits: u64) -> Result<Val, String> {
    match ty {
        "i32" => Ok(Val::I32(bits as u32 as i32)),
        "i64" => Ok(Val::I64(bits as i64)),
        "f32" => Ok(Val::F32(F32::from_bits(bits as u32))),
        "f64" => Ok(Val::F64(F64::from_bits(bits))),
        other => Err(format!("no type is called {other}")),
    }
}

fn bits(value: &Val) -> Result<u64, String> {
    match value {
        Val::I32(value) => Ok(u64::from(*value as u32)),
        Val::I64(value) => Ok(*value as u64),
        Val::F32(value) => Ok(u64::from(value.to_bits())),
        Val::F64(value) => Ok(value.to_bits()),
        _ => Err("a result is a reference".into()),
    }
}
