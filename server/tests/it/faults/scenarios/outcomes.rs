//! What becomes of a service: the cases of the rule, each on the simulated Engine and on a real one.

use super::{scenarios, scenarios_everywhere};

scenarios_everywhere! {
    a_new_service_that_stands_succeeds {
        steps: "
            push web app:1 x2
            start
            ended 1",
        record: "1 preprod sync success: web >1 succeeded",
        world: "preprod/web app:1 2/2 - #1",
    }
    an_update_that_stands_succeeds {
        steps: "
            push web app:1 x2
            start
            ended 1
            push web app:2 x2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 2/2 completed #2",
    }
    a_new_service_that_exits_at_once_is_a_crash_loop {
        steps: "
            push web app:1 run='exit 3'
            start
            ended 1",
        record: "1 preprod sync failed: web >1 failed/crash_loop",
        world: "preprod/web app:1",
    }
    an_update_that_exits_at_once_is_paused {
        steps: "
            push web app:1 x2
            start
            ended 1
            push web app:2 x2 run='exit 3' rest=20s fail=pause
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/paused",
        world: "preprod/web app:2",
    }
    an_update_that_exits_at_once_is_rolled_back {
        steps: "
            push web app:1 x2
            start
            ended 1
            push web app:2 x2 run='exit 3' fail=rollback rest=20s
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync rolled_back: web 1>2 rolled_back",
        world: "preprod/web app:1 2/2 rollback_completed #1",
    }
    an_update_that_goes_on_through_failures_is_a_crash_loop {
        steps: "
            push web app:1 x2
            start
            ended 1
            push web app:2 x2 run='exit 3' fail=continue
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/crash_loop",
        world: "preprod/web app:2",
    }
    an_update_that_exits_after_it_was_monitored_is_a_crash_loop {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2 run='sleep 4; exit 3' monitor=1s
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/crash_loop",
        world: "preprod/web app:2",
    }
    a_new_service_that_exits_after_a_while_is_a_crash_loop {
        steps: "
            push web app:1 run='sleep 4; exit 3'
            start
            ended 1",
        record: "1 preprod sync failed: web >1 failed/crash_loop",
        world: "preprod/web app:1",
    }
    a_one_shot_that_ends_well_is_completed {
        steps: "
            push once app:1 run='exit 0' restart=on-failure
            start
            ended 1",
        record: "1 preprod sync success: once >1 completed",
        world: "preprod/once app:1 0/1",
    }
    a_one_shot_that_ends_badly_fails_at_once {
        steps: "
            push once app:1 run='exit 3' restart=none
            start
            ended 1",
        record: "1 preprod sync failed: once >1 failed/crash_loop",
        world: "preprod/once app:1 0/1",
    }
    a_new_service_without_its_image_fails {
        steps: "
            registry offline
            push web app:missing
            start
            ended 1",
        record: "1 preprod sync failed: web >missing failed/crash_loop",
        world: "preprod/web app:missing 0/1",
    }
    an_update_to_a_missing_image_is_paused {
        steps: "
            registry offline
            push web app:1 x2
            start
            ended 1
            push web app:missing x2 fail=pause
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>missing failed/paused",
        world: "preprod/web app:missing 0/2 paused #2",
    }
    a_global_service_fills_every_node {
        steps: "
            push agent app:1 global
            start
            ended 1
            push agent app:2 global
            ended 2",
        record: "
            1 preprod sync success: agent >1 succeeded
            2 preprod sync success: agent 1>2 succeeded",
        world: "preprod/agent app:2 1/1 completed #2",
    }
    a_global_service_that_no_node_may_run_fails {
        steps: "
            hand node-label spot-a=here
            push agent app:1 global on=node.labels.spot-a==here
            hold before-write 2
            start
            held
            hand node-label spot-a
            resume
            ended 1",
        record: "1 preprod sync failed: agent >1 failed/unschedulable",
        world: "preprod/agent app:1 0/0",
    }
    a_service_that_no_node_may_run_any_more_fails {
        steps: "
            hand node-label spot-b=here
            push web app:1 x2 on=node.labels.spot-b==here
            hold before-write 2
            start
            held
            hand node-label spot-b
            resume
            ended 1",
        record: "1 preprod sync failed: web >1 failed/unschedulable",
        world: "preprod/web app:1 0/2",
    }
    a_constraint_that_no_node_meets_is_refused_before_anything_is_written {
        steps: "
            push web app:1 on=node.labels.nowhere==true
            start
            problem node.labels.nowhere
            wait 5m",
        record: "",
        world: "",
    }
    a_healthy_service_succeeds {
        steps: "
            push web app:1 health=ok
            start
            ended 1
            push web app:2 health=ok
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    a_new_service_that_is_never_healthy_is_a_crash_loop {
        steps: "
            push web app:1 health=never
            start
            ended 1",
        record: "1 preprod sync failed: web >1 failed/crash_loop",
        world: "preprod/web app:1",
    }
    an_update_that_is_never_healthy_is_paused {
        steps: "
            push web app:1 x2 health=ok
            start
            ended 1
            push web app:2 x2 health=never fail=pause monitor=5s
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/paused",
        world: "preprod/web app:2",
    }
    an_update_that_is_never_healthy_is_rolled_back {
        steps: "
            push web app:1 x2 health=ok
            start
            ended 1
            push web app:2 x2 health=never fail=rollback monitor=5s
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync rolled_back: web 1>2 rolled_back",
        world: "preprod/web app:1 2/2 rollback_completed #1",
    }
    a_health_check_is_given_its_start_period {
        steps: "
            push web app:1 health=ok/15s
            start
            ended 1",
        record: "1 preprod sync success: web >1 succeeded",
        world: "preprod/web app:1 1/1 - #1",
    }
    one_restart_and_then_it_stands {
        steps: "
            push web app:1 x2
            start
            phase web verifying
            kill-task web 137
            ended 1",
        record: "1 preprod sync success: web >1 succeeded",
        world: "preprod/web app:1 2/2 - #1",
    }
    a_job_that_ends_well_is_completed {
        steps: "
            push migrate app:1 job run='exit 0'
            start
            ended 1",
        record: "1 preprod sync success: migrate >1 completed",
        world: "preprod/migrate app:1 0/",
    }
    a_job_that_fails_has_failed {
        steps: "
            push migrate app:1 job run='exit 3'
            start
            ended 1",
        record: "1 preprod sync failed: migrate >1 failed/job_failed",
        world: "preprod/migrate app:1 0/",
    }
    a_global_job_completes_on_every_node {
        steps: "
            push sweep app:1 global-job run='exit 0'
            start
            ended 1",
        record: "1 preprod sync success: sweep >1 completed",
        world: "preprod/sweep app:1 0/",
    }
    no_replicas_are_a_success_too {
        steps: "
            push web app:1 x0
            start
            ended 1",
        record: "1 preprod sync success: web >1 succeeded",
        world: "preprod/web app:1 0/0 - #1",
    }
    more_replicas_are_added_to_those_that_run {
        steps: "
            push web app:1 x1
            start
            ended 1
            push web app:1 x3
            ended 2
            push web app:1 x2
            ended 3",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>1 succeeded
            3 preprod sync success: web 1>1 succeeded",
        world: "preprod/web app:1 2/2 - #3",
    }
    a_label_changes_no_task {
        steps: "
            push web app:1 x2 label=one
            start
            ended 1
            push web app:1 x2 label=two
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>1 succeeded",
        world: "preprod/web app:1 2/2 - #2",
    }
    the_new_task_comes_first_where_that_is_asked_for {
        steps: "
            push web app:1 x2 order=start-first
            start
            ended 1
            push web app:2 x2 order=start-first
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 2/2 completed #2",
    }
    somebody_elses_image_is_not_overwritten {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2
            phase web verifying
            hand image web app:3
            ended 2
            wait 10m",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 superseded",
        world: "preprod/web app:3 1/1 completed -",
    }
    somebody_elses_image_is_noticed_under_our_label {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2
            phase web verifying
            hand image-keeping-labels web app:3
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 superseded",
        world: "preprod/web app:3",
    }
    a_service_that_somebody_removes_is_not_made_again {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2
            phase web verifying
            hand remove web
            ended 2
            wait 10m",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 removed",
        world: "",
    }
    a_service_that_is_made_anew_is_not_ours {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2
            phase web verifying
            hand recreate web
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 superseded",
        world: "preprod/web app:2",
    }
    a_rollback_by_hand_is_a_rollback {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2
            phase web verifying
            hand rollback web
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync rolled_back: web 1>2 rolled_back",
        world: "preprod/web app:1 1/1 rollback_completed #1",
    }
    a_service_that_is_taken_out_is_gone_with_its_tasks {
        steps: "
            push web app:1; db app:1
            start
            ended 1
            push web app:1
            ended 2",
        record: "
            1 preprod sync success: db >1 succeeded, web >1 succeeded
            2 preprod sync success: db 1> pruned",
        world: "preprod/web app:1 1/1 - #1",
    }
}

// Only a simulated Engine lets its images rot and its memory be cut.
scenarios! {
    a_rollback_that_fails_too_is_told_as_such {
        steps: "
            push web app:1
            start
            ended 1
            behaviour app:1 exits 0ms 4
            push web app:2 run='exit 3' fail=rollback
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/rollback_failed",
        world: "preprod/web app:1",
    }
    a_crash_loop_is_seen_although_the_engine_keeps_no_old_tasks {
        steps: "
            push web app:1 run='exit 3'
            start
            ended 1",
        record: "1 preprod sync failed: web >1 failed/crash_loop",
        world: "preprod/web app:1",
        terms: |terms| terms.task_history = 0,
    }
    a_slow_start_is_not_a_failure {
        steps: "
            behaviour app:2 slow 2m
            push web app:1
            start
            ended 1
            push web app:2 health=ok/3m
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    a_start_that_never_ends_meets_the_deadline {
        steps: "
            push web app:1
            start
            ended 1
            behaviour app:2 slow 2h
            push web app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/deadline",
        world: "preprod/web app:2 0/1 updating #2",
    }
    an_old_task_that_will_not_stop_does_not_prove_the_new_one {
        steps: "
            behaviour app:1 stops-slowly 40s
            push web app:1
            start
            ended 1
            push web app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
}
