/**
 * Reads HTML and XML as far as tests need it: which elements there are, with their attributes and
 * texts. It is strict: what a browser would have to guess is an error.
 *
 * @module
 */

/** An element. */
export interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** Its own text and that of what is in it. */
  text: string;
  readonly depth: number;
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };

/** Elements without an end tag. */
const VOID = ["meta", "input"];

/** Elements whose content is no markup. */
const RAW = ["script", "style"];

function decode(text: string): string {
  if (/[<>"']/.test(text)) throw new Error(`unescaped character in ${JSON.stringify(text.slice(0, 100))}`);
  return text.replace(/&([^;]{0,6});?/g, (_, name) => {
    const known = ENTITIES[name];
    if (known === undefined) throw new Error(`unknown entity ${name}`);
    return known;
  });
}

/** All elements in the order they begin. */
export function elementsOf(markup: string): Element[] {
  const elements: Element[] = [], open: Element[] = [];
  let rest = markup.replace(/^<(\?xml [^>]*|!DOCTYPE html)>\n/, "");
  while (rest !== "") {
    const top = open.at(-1);
    if (top !== undefined && RAW.includes(top.name)) {
      const end = rest.indexOf(`</${top.name}`);
      if (end < 0) throw new Error(`${top.name} does not end`);
      top.text += rest.slice(0, end);
      rest = rest.slice(end);
    }
    const text = /^[^<]+/.exec(rest)?.[0];
    if (text !== undefined) {
      const decoded = decode(text);
      for (const element of open) element.text += decoded;
      rest = rest.slice(text.length);
      continue;
    }
    const tag = /^<(\/?)([a-z][a-z0-9]*)((?: [a-zA-Z][a-zA-Z-]*(?:="[^"]*")?)*)(\/?)>/.exec(rest);
    if (tag === null) throw new Error(`no tag: ${JSON.stringify(rest.slice(0, 100))}`);
    rest = rest.slice(tag[0].length);
    const [, closing, name, attributes, empty] = tag;
    if (closing === "/") {
      const ended = open.pop();
      if (ended?.name !== name) throw new Error(`</${name}> ends ${ended?.name}`);
      continue;
    }
    const found = new Map<string, string>();
    for (const [, key, value = ""] of attributes.matchAll(/ ([a-zA-Z-]+)(?:="([^"]*)")?/g)) {
      found.set(key, decode(value));
    }
    const element: Element = { name, attributes: found, text: "", depth: open.length };
    elements.push(element);
    if (empty !== "/" && !VOID.includes(name)) open.push(element);
  }
  if (open.length > 0) throw new Error(`${open.at(-1)!.name} does not end`);
  return elements;
}
