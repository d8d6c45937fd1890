/* The index over the nodes of a long list, against an array. */
#include "cacheworker/list/list_nodes.h"

#include "common/base/mem.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { NODES_MAX = 3000 };

struct model {
    struct cw_list_node *nodes[NODES_MAX];
    uint64_t counts[NODES_MAX];
    size_t length;
};

struct bench {
    struct cw_list_memory memory;
    struct cw_list_nodes nodes;
    struct model model;
    struct rand rand;
};

static struct bench *new_bench(uint64_t seed)
{
    struct bench *bench = mem_zero(sizeof(*bench));
    bench->memory.arena = cw_arena_create();
    rand_seed(&bench->rand, seed);
    return bench;
}

static void free_bench(struct bench *bench)
{
    cw_arena_destroy(bench->memory.arena);
    mem_free(bench);
}

static struct cw_list_node *new_node(struct bench *bench, uint64_t count)
{
    struct buf buf = {0};
    cw_listpack_init(buf_reserve(&buf, CW_LISTPACK_EMPTY_BYTES));
    buf_commit(&buf, CW_LISTPACK_EMPTY_BYTES);
    struct cw_packed packed = cw_packed_of_buf(&buf);
    for (uint64_t i = 0; i < count; i++)
        cw_listpack_append_integer(&packed, (int64_t)i);
    struct cw_list_node *node = cw_list_node_create(&bench->memory, buf_slice(&buf));
    buf_free(&buf);
    return node;
}

/* Puts a node at an index, as the neighbour of the one before it or of the one behind it. */
static void add(struct bench *bench, size_t at)
{
    struct model *model = &bench->model;
    uint64_t count = 1 + rand_below(&bench->rand, 4);
    struct cw_list_node *node = new_node(bench, count);
    bool before = at == 0 || (at < model->length && rand_below(&bench->rand, 2) == 0);
    struct cw_list_node *neighbour = model->length == 0 ? NULL : model->nodes[before ? at : at - 1];
    cw_list_nodes_add(&bench->nodes, &bench->memory, node, neighbour, before);
    memmove(model->nodes + at + 1, model->nodes + at, (model->length - at) * sizeof(model->nodes[0]));
    memmove(model->counts + at + 1, model->counts + at, (model->length - at) * sizeof(model->counts[0]));
    model->nodes[at] = node;
    model->counts[at] = count;
    model->length++;
}

static void take(struct bench *bench, size_t at)
{
    struct model *model = &bench->model;
    cw_list_nodes_remove(&bench->nodes, &bench->memory, model->nodes[at]);
    model->length--;
    memmove(model->nodes + at, model->nodes + at + 1, (model->length - at) * sizeof(model->nodes[0]));
    memmove(model->counts + at, model->counts + at + 1, (model->length - at) * sizeof(model->counts[0]));
}

static void note(struct bench *bench, size_t at)
{
    int64_t change = (int64_t)rand_below(&bench->rand, 6) - 2;
    if ((int64_t)bench->model.counts[at] + change < 1)
        return;
    cw_list_nodes_note(&bench->nodes, bench->model.nodes[at], change);
    bench->model.counts[at] += (uint64_t)change;
}

static void check(const struct bench *bench)
{
    const struct model *model = &bench->model;
    const struct cw_list_nodes *nodes = &bench->nodes;
    const struct cw_list_node *node = nodes->first;
    uint64_t elements = 0;
    for (size_t i = 0; i < model->length; i++, node = node->next) {
        uint64_t offset;
        assert_ptr_equal(node, model->nodes[i]);
        assert_ptr_equal(node->previous, i > 0 ? model->nodes[i - 1] : NULL);
        assert_ptr_equal(cw_list_nodes_find(nodes, elements, &offset), node);
        assert_int_equal(offset, 0);
        elements += model->counts[i];
        assert_ptr_equal(cw_list_nodes_find(nodes, elements - 1, &offset), node);
        assert_int_equal(offset, model->counts[i] - 1);
    }
    assert_null(node);
    assert_ptr_equal(nodes->last, model->length > 0 ? model->nodes[model->length - 1] : NULL);
    assert_int_equal(nodes->nodes, model->length);
    assert_int_equal(nodes->elements, elements);
}

static void empty(struct bench *bench)
{
    while (bench->model.length > 0)
        take(bench, bench->model.length - 1);
    assert_null(bench->nodes.root);
    assert_null(bench->nodes.first);
    assert_int_equal(bench->memory.used_bytes, 0);
}

static void random_changes_are_those_of_an_array(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct bench *bench = new_bench(seed);
        for (unsigned i = 0; i < 9000; i++) {
            unsigned adds = i / 3000 == 1 ? 30 : i / 3000 == 0 ? 80 : 45;
            size_t length = bench->model.length;
            if (length == 0 || (rand_below(&bench->rand, 100) < adds && length < NODES_MAX))
                add(bench, (size_t)rand_below(&bench->rand, length + 1));
            else
                take(bench, (size_t)rand_below(&bench->rand, length));
            if (bench->model.length > 0)
                note(bench, (size_t)rand_below(&bench->rand, bench->model.length));
            if (i % 100 == 0)
                check(bench);
        }
        check(bench);
        empty(bench);
        free_bench(bench);
    }
}

/* At the ends branches are filled whole: no more of them than the nodes need. */
static void pushing_fills_the_branches(void **state)
{
    (void)state;
    for (unsigned at_head = 0; at_head < 2; at_head++) {
        struct bench *bench = new_bench(at_head);
        size_t nodes_bytes = 0;
        for (unsigned i = 0; i < NODES_MAX; i++) {
            add(bench, at_head ? 0 : bench->model.length);
            const struct cw_list_node *node = bench->model.nodes[at_head ? 0 : i];
            nodes_bytes += cw_arena_rounded(sizeof(*node)) + cw_arena_rounded(node->capacity);
        }
        check(bench);
        size_t branches = (bench->memory.used_bytes - nodes_bytes) / CW_ARENA_SMALL_MAX;
        assert_in_range(branches, NODES_MAX / 30, NODES_MAX / 30 * 11 / 10);
        while (bench->model.length > 0) {
            take(bench, at_head ? bench->model.length - 1 : 0); /* a queue */
            if (bench->model.length % 500 == 0)
                check(bench);
        }
        empty(bench);
        free_bench(bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_are_those_of_an_array),
        cmocka_unit_test(pushing_fills_the_branches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
