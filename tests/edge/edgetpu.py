"""Stand-ins for a Coral Edge TPU: models as its compiler makes them, and libraries for the runtime to load."""

import shutil
import subprocess
from pathlib import Path

import flatbuffers
import msgspec
from ai_edge_litert import schema_py_generated as schema

from edge.contract import CONTRACT_FILE, Bundle, ModelFile, load_bundle, sha256

DELEGATE = r"""
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* what is used here of the runtime's C interface (tensorflow/lite/core/c/common.h), in its layout */
typedef struct { int size; int data[]; } Ints;
typedef struct { int type; signed char *data; void *dims; float scale; int zero; int kept; size_t bytes;
                 void *more[8]; } Tensor;
typedef struct { Ints *inputs, *outputs; } Node;
typedef struct Context Context;
typedef struct { void *(*init)(); void (*free)(); int (*prepare)(); int (*invoke)(Context *, Node *);
                 void *profiling; int builtin; const char *custom; int version; void *more[8]; } Kernel;
typedef struct Delegate { void *data; int (*prepare)(Context *, struct Delegate *); void *buffers[3];
                          long flags; void *more[4]; } Delegate;
struct Context { size_t count; int (*plan)(Context *, Ints **); Tensor *tensors; void *impl; void *resize;
                 void (*report)(Context *, const char *, ...); void *add; void *node;
                 int (*take)(Context *, Kernel, const Ints *, Delegate *); };

static char *fate(void) {
    static char how[16];
    FILE *file = fopen(FLAG, "r");
    if (!file) return NULL;
    fscanf(file, "%15s", how);
    fclose(file);
    if (!strcmp(how, "hangs")) for (;;) pause();
    if (!strcmp(how, "crashes")) raise(SIGSEGV);
    if (!strcmp(how, "aborts")) raise(SIGABRT);
    return how;
}

static int invoke(Context *context, Node *node) {
    char *how = fate();
    if (how && strcmp(how, "freezes")) return 1;
    for (int k = 0; k < node->outputs->size; k++) {
        Tensor *out = &context->tensors[node->outputs->data[k]];
        memset(out->data, -128, out->bytes);
        if (!how) out->data[0] = context->tensors[node->inputs->data[0]].data[0];
    }
    return 0;
}

static int prepare(Context *context, Delegate *self) {
    Kernel kernel = {.invoke = invoke, .custom = "stand-in", .version = 1};
    Ints *plan;
    return context->plan(context, &plan) || context->take(context, kernel, plan, self);
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    static Delegate delegate;
    delegate.prepare = prepare;
    delegate.flags = 1; /* asked before the tensors have memory, as the runtime itself cannot prepare the operator */
    if (fate()) { report("no device\n"); return NULL; }
    return &delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {}
"""
"""Answers -128 everywhere, and its input's first number as each output's first. The file FLAG takes it away: it
"hangs", "crashes" or "aborts" as the file says, or "freezes" to one answer; with other words it reports an error."""


def build_delegate(folder: Path, flag: Path) -> Path:
    """The library; needs gcc."""
    source, library = folder / "delegate.c", folder / "libdelegate.so"
    source.write_text(DELEGATE)
    command = ["gcc", "-shared", "-fPIC", "-O1", "-w", f'-DFLAG="{flag}"', str(source), "-o", str(library)]
    subprocess.run(command, check=True)
    return library


def compiled(model: bytes) -> bytes:
    """A model with the same inputs and outputs whose one operator only an Edge TPU has."""
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    (graph,) = parsed.subgraphs
    ends = [*graph.inputs, *graph.outputs]
    graph.tensors = [graph.tensors[index] for index in ends]
    graph.inputs, graph.outputs = [0], list(range(1, len(ends)))
    for tensor in graph.tensors:
        tensor.buffer = 0
    operator, code = schema.OperatorT(), schema.OperatorCodeT()
    operator.inputs, operator.outputs = graph.inputs, graph.outputs
    code.customCode, code.version = "edgetpu-custom-op", 1
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    graph.operators, parsed.operatorCodes = [operator], [code]
    parsed.buffers, parsed.metadata, parsed.signatureDefs = [schema.BufferT()], None, None
    builder = flatbuffers.Builder()
    builder.Finish(parsed.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_edgetpu(folder: Path) -> Bundle:
    """The shipped bundle in `folder`, with compiled models."""
    shipped = load_bundle()
    shutil.copytree(shipped.folder, folder)
    parts = {}
    for name in ("locator", "classifier"):
        part = getattr(shipped.contract, name)
        file = folder / f"{name}_edgetpu.tflite"
        file.write_bytes(compiled((folder / part.file).read_bytes()))
        parts[name] = msgspec.structs.replace(part, edgetpu=ModelFile(file.name, sha256(file)))
    contract = msgspec.structs.replace(shipped.contract, **parts)
    (folder / CONTRACT_FILE).write_bytes(msgspec.json.encode(contract))
    return load_bundle(folder)
