/**
 * A key-value contract: mints, transfers, and meets calls that must not succeed. Every call has a
 * budget of fuel, and what fails leaves no trace.
 *
 * Run it:  deno run --allow-read=examples/kv_contract examples/kv_contract/main.ts
 *
 * Files: `contract.wat` the contract (`contract.wasm` in binary), `kv.ts` the plugins, `contract.ts` calls
 * with budgets and rollback.
 *
 * @module
 */

import type { Value } from "../../mod.ts";
import { Contract } from "./contract.ts";
import { newChain } from "./kv.ts";

const OWNER = 1n, ADA = 2n, GRACE = 3n, BUDGET = 100_000n;

const chain = newChain();
const token = new Contract(Deno.readFileSync(new URL("./contract.wasm", import.meta.url)), chain);

/** Makes a call and prints its receipt. */
function call(sender: bigint, name: string, params: Value[], budget = BUDGET): void {
  const { status, results, fuel, logs } = token.call(sender, budget, name, ...params);
  const more = [...results.map(String), ...logs.map((text) => `"${text}"`)].join(" ");
  console.log(
    `${sender}: ${name}(${params.join(", ")})  ${status}${more === "" ? "" : ` ${more}`}, ${fuel} fuel`,
  );
}

call(OWNER, "mint", [ADA, 1000n]);
call(ADA, "mint", [ADA, 1_000_000n]); // not the owner
call(ADA, "transfer", [GRACE, 300n]);
call(ADA, "transfer", [GRACE, 701n]); // one too many
call(ADA, "transfer", [GRACE, -5n]); // stealing
call(ADA, "airdrop", [100n, 10n, 1n]);
call(ADA, "airdrop", [200n, 1000n, 0n]); // more than the budget pays for
call(ADA, "airdrop", [200n, 10n, 1n], 30_000n); // reverted half way, with all that was sent
for (const account of [ADA, GRACE, 105n, 200n]) call(account, "balance", [account]);
console.log(`${chain.state.size} keys in the store`);
