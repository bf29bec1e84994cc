/**
 * What a profile must say, found the slow way: the plain loop one instruction at a time, and every
 * unit of fuel written down where it was charged. It shares nothing with the profiler but the names
 * of functions.
 *
 * @module
 */

import type { RwasmModule } from "../../mod.ts";
import { Op } from "../../lib/isa/opcode.ts";
import type { Loop, LoopMaker } from "../../lib/vm/loop.ts";
import type { Machine } from "../../lib/vm/machine.ts";
import { functionAt } from "../../lib/vm/backtrace.ts";
import { Exit, run } from "../../lib/vm/step.ts";

/** Fuel by stack and by instruction, as `Profiler` should give it. */
export class Oracle implements LoopMaker {
  /** Fuel by the functions on the stack, as positions in `functionStarts`; −1 is what is before them. */
  readonly stacks = new Map<string, bigint>();
  /** Charges by pc: how often, and how much. */
  readonly charges = new Map<number, [count: number, fuel: bigint]>();
  /** Fuel that the host charged, by the instruction that called it; −1 between runs. */
  readonly host = new Map<number, bigint>();

  /** The loop of a machine. */
  loopFor(machine: Machine): Loop {
    const { fuel } = machine;
    let seen = fuel.everConsumed(), stack = "", pc = -1, exit = Exit.Done;
    const outside = () => {
      const amount = fuel.everConsumed() - seen;
      seen += amount;
      if (amount === 0n) return;
      if (exit === Exit.Fuel) this.#charge(stack, pc, amount);
      else {
        const by = exit === Exit.Syscall ? pc : -1;
        this.host.set(by, (this.host.get(by) ?? 0n) + amount);
        this.#add(by < 0 ? "host" : stack, amount);
      }
    };
    return {
      run: () => {
        outside();
        for (;;) {
          pc = machine.pc;
          stack = stackOf(machine);
          const slice = fuel.slice;
          exit = run(machine, pc, 1);
          if (fuel.slice !== slice) this.#charge(stack, pc, BigInt(slice - fuel.slice));
          if (exit === Exit.Left) continue;
          seen = fuel.everConsumed();
          return exit;
        }
      },
    };
  }

  #charge(stack: string, pc: number, amount: bigint): void {
    const [count, fuel] = this.charges.get(pc) ?? [0, 0n];
    this.charges.set(pc, [count + 1, fuel + amount]);
    this.#add(stack, amount);
  }

  #add(stack: string, amount: bigint): void {
    this.stacks.set(stack, (this.stacks.get(stack) ?? 0n) + amount);
  }
}

/** Functions on the call stack of a machine, outermost first, without hidden ones. */
function stackOf({ module, calls, depth, pc }: Machine): string {
  const names: string[] = [];
  for (let level = 0; level < depth; level++) {
    const back = calls[level];
    const direct = module.opcodes[back - 1] === Op.CallInternal;
    name(names, module, direct ? back - 1 : back - 2);
  }
  name(names, module, pc);
  return names.join();
}

function name(names: string[], module: RwasmModule, pc: number): void {
  const info = module.info!, position = functionAt(info, pc);
  if (position >= info.functionTypes.length) return;
  if (position >= 0) names.push(String(position));
  else names.push(pc < module.sourcePc ? "instantiate" : "entry");
}
