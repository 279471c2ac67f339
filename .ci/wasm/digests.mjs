// The lines of the example `digests`, computed by the WebAssembly module: node digests.mjs MODULE PHOTO…
import { readFileSync } from "node:fs";
import { basename } from "node:path";

const [module, ...photos] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(module), {});
const { memory, room, lines } = instance.exports;

const put = (bytes) => {
    const address = room(bytes.length);
    new Uint8Array(memory.buffer, address, bytes.length).set(bytes);
    return [address, bytes.length];
};

for (const photo of photos) {
    const result = lines(...put(new TextEncoder().encode(basename(photo))), ...put(readFileSync(photo)));
    const [address, length] = [Number(result & 0xffffffffn), Number(result >> 32n)];
    process.stdout.write(new TextDecoder().decode(new Uint8Array(memory.buffer, address >>> 0, length)));
}
