//! The reference: the crate rwasm 0.7.2, its compiler and its interpreter, with fuel.

use crate::{Bits, Kernel, Run};
use rwasm::{
    always_failing_syscall_handler, CompilationConfig, ExecutionEngine, ImportLinker, RwasmInstance,
    RwasmModule, RwasmStore, Value, F32, F64,
};
use std::sync::Arc;
use std::time::Instant;

/// A compiled module.
pub struct Reference {
    module: RwasmModule,
}

/// Compiles a module with `entry` as its entry point.
pub fn load(wasm: &[u8], entry: &str) -> Result<Reference, String> {
    let config = CompilationConfig::default()
        .with_entrypoint_name(entry.into())
        .with_allow_malformed_entrypoint_func_type(true)
        .with_allow_start_section(true);
    let (module, _) = RwasmModule::compile(config, wasm).map_err(|error| format!("{error:?}"))?;
    Ok(Reference { module })
}

impl Kernel for Reference {
    fn run(&self, args: &[Bits], results: &[String]) -> Result<Run, String> {
        let args = args.iter().map(|arg| value(&arg.ty, arg.bits)).collect::<Result<Vec<_>, _>>()?;
        let mut values = results.iter().map(|ty| value(ty, 0)).collect::<Result<Vec<_>, _>>()?;
        // The most fuel there is: metering costs the same, and nothing runs out.
        let mut store = RwasmStore::new(
            Arc::new(ImportLinker::default()),
            (),
            always_failing_syscall_handler,
            Some(u64::MAX),
            None,
        );
        let instance = RwasmInstance::new(&mut store, ExecutionEngine::new(), self.module.clone())
            .map_err(|trap| format!("{trap:?}"))?;
        let before = store.fuel_consumed();
        let start = Instant::now();
        let ending = instance.execute(&mut store, &args, &mut values);
        let nanoseconds = start.elapsed().as_nanos() as u64;
        ending.map_err(|trap| format!("{trap:?}"))?;
        Ok(Run {
            nanoseconds,
            results: values.iter().map(bits).collect::<Result<Vec<_>, _>>()?,
            fuel: store.fuel_consumed() - before,
            memory: store.memory_snapshot(),
        })
    }
}

fn value(ty: &str, bits: u64) -> Result<Value, String> {
    match ty {
        "i32" => Ok(Value::I32(bits as u32 as i32)),
        "i64" => Ok(Value::I64(bits as i64)),
        "f32" => Ok(Value::F32(F32::from_bits(bits as u32))),
        "f64" => Ok(Value::F64(F64::from_bits(bits))),
        other => Err(format!("no type is called {other}")),
    }
}

fn bits(value: &Value) -> Result<u64, String> {
    match value {
        Value::I32(value) => Ok(u64::from(*value as u32)),
        Value::I64(value) => Ok(*value as u64),
        Value::F32(value) => Ok(u64::from(value.to_bits())),
        Value::F64(value) => Ok(value.to_bits()),
        _ => Err("a result is a reference".into()),
    }
}
