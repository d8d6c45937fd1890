#include "common/base/heap.h"

#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NODES = 200 };

static void it_agrees_with_a_search_of_all(void **state)
{
    (void)state;
    static struct heap_node nodes[NODES];
    struct heap heap = {0};
    struct rand rand;
    rand_seed(&rand, 1);
    for (unsigned round = 0; round < 20000; round++) {
        struct heap_node *node = &nodes[rand_below(&rand, NODES)];
        if (rand_below(&rand, 3) > 0)
            heap_set(&heap, node, rand_between(&rand, -50, 50));
        else
            heap_remove(&heap, node);

        size_t inside = 0;
        int64_t least = INT64_MAX;
        for (unsigned i = 0; i < NODES; i++) {
            if (!heap_contains(&nodes[i]))
                continue;
            inside++;
            if (nodes[i].key < least)
                least = nodes[i].key;
        }
        assert_int_equal(inside, heap.count);
        if (inside == 0)
            assert_null(heap_first(&heap));
        else
            assert_int_equal(least, heap_first(&heap)->key);
    }
    heap_free(&heap);
    for (unsigned i = 0; i < NODES; i++)
        assert_false(heap_contains(&nodes[i]));
}

static void what_is_taken_comes_in_order(void **state)
{
    (void)state;
    static struct heap_node nodes[NODES];
    struct heap heap = {0};
    struct rand rand;
    rand_seed(&rand, 2);
    for (unsigned i = 0; i < NODES; i++)
        heap_set(&heap, &nodes[i], (int64_t)rand_u64(&rand));
    int64_t previous = INT64_MIN;
    for (unsigned i = 0; i < NODES; i++) {
        struct heap_node *node = heap_first(&heap);
        assert_true(node->key >= previous);
        previous = node->key;
        heap_remove(&heap, node);
        heap_remove(&heap, node);
    }
    assert_null(heap_first(&heap));
    heap_free(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_agrees_with_a_search_of_all),
        cmocka_unit_test(what_is_taken_comes_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
