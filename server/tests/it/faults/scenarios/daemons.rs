//! Daemons that stop, freeze and come back, Swarms without a leader, nodes that die, clocks that jump, full disks.

use super::scenarios;

scenarios! {
    a_daemon_that_is_away_for_a_while_changes_no_verdict {
        steps: "
            push web app:1 x2
            start
            ended 1
            push web app:2 x2
            phase web updating
            daemon freeze
            wait 12s
            daemon start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 2/2 completed #2",
    }
    a_daemon_that_is_away_for_too_long_leaves_it_unknown {
        steps: "
            push web app:1 x2
            start
            ended 1
            push web app:2 x2
            phase web updating
            daemon freeze
            ended 2
            daemon start
            wait 2m",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/unknown",
        world: "preprod/web app:2 2/2 completed #2",
    }
    a_daemon_that_is_killed_in_the_middle_of_an_update_is_no_crash_loop {
        steps: "
            push web app:1 x3
            start
            ended 1
            push web app:2 x3
            phase web updating
            wait 1s
            daemon kill
            wait 8s
            daemon start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 3/3 completed #2",
    }
    a_daemon_that_is_killed_while_a_service_is_written_is_waited_for {
        steps: "
            push web app:1
            start
            ended 1
            hold before-write 1
            push web app:2
            held
            daemon kill
            resume
            wait 20s
            daemon start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    a_daemon_that_is_down_at_the_start_is_waited_for {
        steps: "
            daemon kill
            push web app:1
            start
            problem cannot be reached
            wait 2m
            daemon start
            ended 1",
        record: "1 preprod sync success: web >1 succeeded",
        world: "preprod/web app:1 1/1 - #1",
    }
    a_daemon_that_dies_when_a_deployment_has_been_accepted_is_waited_for {
        steps: "
            push web app:1
            start
            ended 1
            hold after-entry 1
            push web app:2
            held
            daemon kill
            resume
            wait 30s
            daemon start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    an_engine_that_is_no_manager_is_told_and_comes_back {
        steps: "
            swarm not-a-manager
            push web app:1
            start
            problem manager
            wait 1m
            swarm ok
            ended 1",
        record: "1 preprod sync success: web >1 succeeded",
        world: "preprod/web app:1 1/1 - #1",
    }
    a_swarm_without_a_leader_for_a_while_changes_no_verdict {
        steps: "
            push web app:1 x2
            start
            ended 1
            push web app:2 x2
            phase web updating
            swarm no-leader
            wait 50s
            swarm ok
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 2/2 completed #2",
    }
    a_swarm_without_a_leader_for_good_leaves_it_unknown {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2
            phase web updating
            swarm no-leader
            ended 2
            swarm ok
            wait 2m",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/unknown",
        world: "preprod/web app:2 1/1 completed #2",
    }
    a_node_that_dies_gives_its_tasks_to_another {
        steps: "
            push web app:1 x2
            start
            ended 1
            push web app:2 x2
            phase web verifying
            node swarm-2 down
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 2/2",
        terms: |terms| terms.nodes = 3,
    }
    a_node_that_dies_in_the_middle_of_an_update_is_no_crash_loop {
        steps: "
            push web app:1 x4
            start
            ended 1
            push web app:2 x4
            phase web updating
            wait 1s
            node swarm-3 down
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 4/4",
        terms: |terms| terms.nodes = 3,
    }
    a_node_that_is_lost_in_an_update_leaves_the_updater_stuck {
        steps: "
            push web app:1 x6
            start
            ended 1
            hold before-write 1
            push web app:2 x6
            held
            node swarm-3 lost
            resume
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/stalled",
        world: "preprod/web app:2 3/6 updating #2",
        terms: |terms| terms.nodes = 3,
    }
    a_stuck_updater_is_no_failure_where_every_task_runs {
        steps: "
            push web app:1 x3
            start
            ended 1
            hold before-write 1
            push web app:2 x3 par=0
            held
            node swarm-3 lost
            resume
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded/warned",
        world: "preprod/web app:2 3/3 updating #2",
        terms: |terms| terms.nodes = 3,
    }
    a_node_that_is_drained_in_an_update_delays_it {
        steps: "
            push web app:1 x3
            start
            ended 1
            push web app:2 x3 delay=5s
            phase web updating
            wait 1s
            node swarm-3 drain
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 3/3 completed #2",
        terms: |terms| terms.nodes = 3,
    }
    a_node_that_is_drained_while_its_new_task_is_monitored_pauses_the_update {
        steps: "
            push web app:1 x3
            start
            ended 1
            push web app:2 x3 delay=10s monitor=30s
            hand drain app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/paused",
        world: "preprod/web app:2 1/3 paused #2",
        terms: |terms| terms.nodes = 3,
    }
    a_node_that_is_drained_gives_its_tasks_away {
        steps: "
            push web app:1 x2
            start
            ended 1
            push web app:2 x2
            phase web verifying
            node swarm-2 drain
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 2/2",
        terms: |terms| terms.nodes = 2,
    }
    a_clock_that_is_set_back_changes_no_verdict {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2
            phase web updating
            clock -1h
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    a_clock_that_jumps_ahead_changes_no_verdict {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2
            phase web updating
            clock +87600h
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    a_clock_that_jumps_ahead_while_nobody_runs_still_gives_a_look {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2
            phase web updating
            crash
            clock +87600h
            start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    with_a_full_disk_nothing_is_deployed {
        steps: "
            push web app:1
            start
            ended 1
            disk full
            push web app:2
            problem disk is full
            wait 5m
            disk ok
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    a_disk_that_fills_up_in_the_middle_delays_the_record_and_nothing_else {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2
            phase web verifying
            disk full
            problem cannot be recorded
            wait 1m
            disk ok
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    a_disk_that_fills_up_before_the_intent_stops_the_write {
        steps: "
            push web app:1
            start
            ended 1
            hold after-entry 1
            push web app:2
            held
            disk full
            resume
            wait 1m
            disk ok
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
}
