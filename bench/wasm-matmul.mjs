/**
 * @file Speed of the WebAssembly back end's kernels, medians of many runs: matmuls in GF/s, elementwise and
 * row kernels in nanoseconds per element. After `npm run build`: `node bench/wasm-matmul.mjs [threads]`.
 */
const dist =
  process.env.CAMADA_DIST ?? new URL('../packages/tensor/dist/', import.meta.url).pathname;
const { openWasm } = await import(`${dist}backend/wasm/index.js`);
const threads = Number(process.argv[2] ?? 1);

const dense = (loop) => {
  const strides = loop.map(() => 1);
  for (let i = loop.length - 2; i >= 0; i--) strides[i] = strides[i + 1] * loop[i + 1];
  return { offset: 0, strides };
};

function prepare(backend, kernel, sizes) {
  const buffers = sizes.map((size) => {
    const buffer = backend.allocate(size, 'f32');
    backend.write(
      buffer,
      Float32Array.from({ length: size }, (_, i) => Math.sin(i)),
    );
    return buffer;
  });
  const program = backend.compile({
    graph: { nodes: [], outputs: [], inputs: [], scalars: [], key: '' },
    kernels: [
      {
        label: 'bench',
        ...kernel,
        buffers: sizes.map((_, id) => ({ id, dtype: 'f32', access: 'read_write' })),
      },
    ],
    buffers: sizes.map((size, index) => ({ role: 'input', index, size, dtype: 'f32' })),
    outputs: [],
    scratchBytes: 0,
  });
  const free = () => {
    program.dispose();
    for (const buffer of buffers) backend.free(buffer);
  };
  return { run: () => backend.run(program, buffers, new Uint32Array(0)), free };
}

/** Median milliseconds of one run. */
function measure({ run, free }, least = 300) {
  const times = [];
  for (let i = 0; i < 8; i++) run();
  const end = performance.now() + least;
  while (performance.now() < end || times.length < 9) {
    const start = performance.now();
    run();
    times.push(performance.now() - start);
  }
  free();
  return times.sort((a, b) => a - b)[times.length >> 1];
}

function matmul(backend, layout, m, k, n, batch = 1) {
  const [ta, tb] = [layout[0] === 'T', layout[1] === 'T'];
  const kernel = {
    kind: 'matmul',
    loop: [batch, m, n],
    inner: k,
    a: { from: 0, offset: 0, batch: [m * k], row: ta ? 1 : k, column: ta ? m : 1 },
    b: { from: 1, offset: 0, batch: [k * n], row: tb ? 1 : n, column: tb ? k : 1 },
    values: [{ kind: 'product', dtype: 'f32' }],
    stores: [{ to: 2, at: dense([batch, m, n]), value: 0 }],
  };
  const ms = measure(prepare(backend, kernel, [batch * m * k, batch * k * n, batch * m * n]));
  return ((2 * batch * m * n * k) / ms / 1e6).toFixed(1);
}

function map(backend, op, size) {
  const at = dense([size]);
  const values = [{ kind: 'load', dtype: 'f32', from: 0, at }];
  if (op !== 'copy')
    values.push({ kind: 'op', op, dtype: 'f32', args: op === 'add' ? [0, 0] : [0] });
  const kernel = {
    kind: 'map',
    loop: [size],
    values,
    stores: [{ to: 1, at, value: values.length - 1 }],
  };
  return ((measure(prepare(backend, kernel, [size, size]), 100) * 1e6) / size).toFixed(3);
}

function sum(backend, rows, width, across) {
  const strides = across ? [1, rows] : [width, 1];
  const kernel = {
    kind: 'row',
    loop: [rows, width],
    rowAxes: 1,
    values: [
      { kind: 'load', dtype: 'f32', from: 0, at: { offset: 0, strides } },
      { kind: 'accumulator', dtype: 'f32', stage: 0, slot: 0 },
    ],
    stages: [{ accumulators: [{ reduce: 'sum', dtype: 'f32', value: 0 }] }],
    stores: [{ to: 1, at: { offset: 0, strides: [1, 0] }, value: 1 }],
  };
  return (
    (measure(prepare(backend, kernel, [rows * width, rows]), 100) * 1e6) /
    rows /
    width
  ).toFixed(3);
}

function softmax(backend, rows, width) {
  const at = dense([rows, width]);
  const op = (name, ...args) => ({ kind: 'op', op: name, dtype: 'f32', args });
  const kernel = {
    kind: 'row',
    loop: [rows, width],
    rowAxes: 1,
    values: [
      { kind: 'load', dtype: 'f32', from: 0, at },
      { kind: 'accumulator', dtype: 'f32', stage: 0, slot: 0 },
      op('sub', 0, 1),
      op('exp', 2),
      { kind: 'accumulator', dtype: 'f32', stage: 1, slot: 0 },
      op('reciprocal', 4),
      op('mul', 3, 5),
    ],
    stages: [
      { accumulators: [{ reduce: 'max', dtype: 'f32', value: 0 }] },
      { accumulators: [{ reduce: 'sum', dtype: 'f32', value: 3 }] },
    ],
    stores: [{ to: 1, at, value: 6 }],
  };
  return (
    (measure(prepare(backend, kernel, [rows * width, rows * width]), 100) * 1e6) /
    rows /
    width
  ).toFixed(3);
}

for (const relaxed of [false, true]) {
  const backend = await openWasm({ threads, relaxed });
  console.log(`\n${backend.info.adapter} (${backend.info.features.join(', ')})`);
  const gf = [];
  for (const layout of ['NN', 'NT', 'TN'])
    gf.push(`${layout} 512³ ${matmul(backend, layout, 512, 512, 512)}`);
  gf.push(`NN 1024×384×8 ${matmul(backend, 'NN', 1024, 384, 8)}`);
  gf.push(`NN 1024×8×384 ${matmul(backend, 'NN', 1024, 8, 384)}`);
  gf.push(`TN 8×1024×384 ${matmul(backend, 'TN', 8, 1024, 384)}`);
  gf.push(`NT 1024×384×384 ${matmul(backend, 'NT', 1024, 384, 384)}`);
  gf.push(`NT 1×576×1536 ${matmul(backend, 'NT', 1, 576, 1536)}`);
  gf.push(`NT 96 × 128×32×128 ${matmul(backend, 'NT', 128, 32, 128, 96)}`);
  gf.push(`NN 96 × 128×128×32 ${matmul(backend, 'NN', 128, 128, 32, 96)}`);
  console.log(`matmul M×K×N, GF/s: ${gf.join(', ')}`);
  const n = 1 << 17;
  const ns = ['copy', 'add', 'exp', 'log', 'tanh', 'erf', 'sin'].map(
    (op) => `${op} ${map(backend, op, n)}`,
  );
  console.log(`ns an element, 128K: ${ns.join(', ')}`);
  console.log(
    `rows: sum 512×256 ${sum(backend, 512, 256, false)}, column sum 384×1024 ${sum(backend, 384, 1024, true)}, ` +
      `softmax 512×256 ${softmax(backend, 512, 256)}`,
  );
  backend.dispose();
}
