/* engine_contract - what every engine promises to protocols (dataplane/engine/engine.h), as tests
 * that know nothing of the engine but its table. The engine's own test sets bench_engine and lists
 * ENGINE_CONTRACT among its tests. */
#ifndef SGT_ENGINE_CONTRACT_H
#define SGT_ENGINE_CONTRACT_H

#include "tests/unit/dataplane/engine_bench.h"

void what_is_sent_comes_back_in_order(void **fixture);
void many_connections_echo_at_once(void **fixture);
void a_long_stream_arrives_byte_for_byte(void **fixture);
void small_and_large_slices_mix_in_order(void **fixture);
void a_peers_fin_is_told_and_sending_goes_on(void **fixture);
void an_abort_resets_and_a_close_does_not(void **fixture);
void closed_comes_once_and_last_however_it_ends(void **fixture);
void unconsumed_input_is_kept_and_offered_again(void **fixture);
void a_paused_reader_stops_the_sender(void **fixture);
void a_slow_reader_bounds_what_is_pulled(void **fixture);
void reused_memory_is_never_sent(void **fixture);
void every_slice_is_given_back_when_the_peer_vanishes(void **fixture);
void a_peer_that_resets_under_small_answers_ends_cleanly(void **fixture);
void a_timer_is_never_early_and_fires_once(void **fixture);
void mail_wakes_a_sleeping_engine(void **fixture);
void a_refused_connection_leaves_nothing(void **fixture);
void a_stopped_listener_takes_no_more_but_serves_on(void **fixture);
void bytes_after_the_last_answer_do_not_reset_it(void **fixture);
/* engine_contract_tls.c */
void tls_echoes_plaintext_both_ways(void **fixture);
void tls_streams_byte_for_byte_and_ends_with_close_notify(void **fixture);
void tls_key_updates_are_answered(void **fixture);
void tls_a_forged_record_ends_with_an_alert(void **fixture);
void tls_unconsumed_plaintext_is_kept(void **fixture);
/* engine_contract_peers.c */
void a_balancers_header_names_the_viewer(void **fixture);
void only_a_balancer_may_name_another(void **fixture);
void a_balancer_without_a_header_is_refused(void **fixture);
void forwarded_counts_from_configured_peers_only(void **fixture);
void an_address_takes_its_number_of_connections(void **fixture);
void a_listener_taken_away_serves_who_came_by_its_own_configuration(void **fixture);
void a_listener_that_stays_keeps_its_place_when_the_order_changes(void **fixture);

#define CONTRACT(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
#define ENGINE_CONTRACT                                                                            \
    CONTRACT(what_is_sent_comes_back_in_order), CONTRACT(many_connections_echo_at_once),           \
        CONTRACT(a_long_stream_arrives_byte_for_byte),                                             \
        CONTRACT(small_and_large_slices_mix_in_order),                                             \
        CONTRACT(a_peers_fin_is_told_and_sending_goes_on),                                         \
        CONTRACT(an_abort_resets_and_a_close_does_not),                                            \
        CONTRACT(closed_comes_once_and_last_however_it_ends),                                      \
        CONTRACT(unconsumed_input_is_kept_and_offered_again),                                      \
        CONTRACT(a_paused_reader_stops_the_sender), CONTRACT(a_slow_reader_bounds_what_is_pulled), \
        CONTRACT(reused_memory_is_never_sent),                                                     \
        CONTRACT(every_slice_is_given_back_when_the_peer_vanishes),                                \
        CONTRACT(a_peer_that_resets_under_small_answers_ends_cleanly),                             \
        CONTRACT(a_timer_is_never_early_and_fires_once), CONTRACT(mail_wakes_a_sleeping_engine),   \
        CONTRACT(a_refused_connection_leaves_nothing),                                             \
        CONTRACT(a_stopped_listener_takes_no_more_but_serves_on),                                  \
        CONTRACT(bytes_after_the_last_answer_do_not_reset_it),                                     \
        CONTRACT(tls_echoes_plaintext_both_ways),                                                  \
        CONTRACT(tls_streams_byte_for_byte_and_ends_with_close_notify),                            \
        CONTRACT(tls_key_updates_are_answered), CONTRACT(tls_a_forged_record_ends_with_an_alert),  \
        CONTRACT(tls_unconsumed_plaintext_is_kept), CONTRACT(a_balancers_header_names_the_viewer), \
        CONTRACT(only_a_balancer_may_name_another),                                                \
        CONTRACT(a_balancer_without_a_header_is_refused),                                          \
        CONTRACT(forwarded_counts_from_configured_peers_only),                                     \
        CONTRACT(an_address_takes_its_number_of_connections),                                      \
        CONTRACT(a_listener_taken_away_serves_who_came_by_its_own_configuration),                  \
        CONTRACT(a_listener_that_stays_keeps_its_place_when_the_order_changes)

#endif
