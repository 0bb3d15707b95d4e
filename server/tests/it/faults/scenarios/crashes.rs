//! Processes that die, stop and come back. The sweep (`sweep.rs`) kills at every step in turn; these say what else may
//! have happened meanwhile.

use super::scenarios;

scenarios! {
    killed_before_anything_was_accepted_nothing_was {
        steps: "
            hold before-entry 1
            push web app:1
            start
            held
            crash
            wait 1m
            start
            ended 1",
        record: "1 preprod sync success: web >1 succeeded",
        world: "preprod/web app:1 1/1 - #1",
    }
    killed_before_the_write_it_is_sent_by_the_next {
        steps: "
            push web app:1
            start
            ended 1
            hold before-write 1
            push web app:2
            held
            crash
            wait 1m
            start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    killed_after_the_write_it_is_not_sent_again {
        steps: "
            push web app:1
            start
            ended 1
            hold after-write 1
            push web app:2
            held
            crash
            wait 1m
            start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    killed_after_a_write_that_swarm_has_taken_back_it_is_not_sent_again {
        steps: "
            push web app:1
            start
            ended 1
            hold after-write 1
            push web app:2 run='exit 3' fail=rollback
            held
            crash
            wait 1m
            start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync rolled_back: web 1>2 rolled_back",
        world: "preprod/web app:1 1/1 rollback_completed #1",
    }
    killed_after_a_write_that_was_paused_since_it_is_not_sent_again {
        steps: "
            push web app:1 x3
            start
            ended 1
            hold after-write 1
            push web app:2 x3 run='exit 3' fail=pause
            held
            crash
            wait 1m
            start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/paused",
        world: "preprod/web app:2 0/3 paused #2",
    }
    killed_in_the_middle_of_the_proof_the_proof_begins_again {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2
            phase web verifying
            crash
            wait 10s
            start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    killed_again_and_again_it_ends_once {
        steps: "
            push web app:1; db app:1
            start
            ended 1
            hold before-write 1
            push web app:2; db app:2
            held
            crash
            hold after-write 1
            start
            held
            crash
            start
            phase web verifying
            crash
            start
            ended 2",
        record: "
            1 preprod sync success: db >1 succeeded, web >1 succeeded
            2 preprod sync success: db 1>2 succeeded, web 1>2 succeeded",
        world: "
            preprod/db app:2 1/1 completed #2
            preprod/web app:2 1/1 completed #2",
    }
    killed_before_the_write_and_somebody_else_wrote_it_is_left_alone {
        steps: "
            push web app:1
            start
            ended 1
            hold before-write 1
            push web app:2
            held
            crash
            hand image web app:3
            wait 1m
            start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 superseded",
        world: "preprod/web app:3 1/1 completed -",
    }
    killed_after_the_write_and_somebody_else_wrote_it_is_left_alone {
        steps: "
            push web app:1
            start
            ended 1
            hold after-write 1
            push web app:2
            held
            crash
            hand image web app:3
            wait 1m
            start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 superseded",
        world: "preprod/web app:3 1/1 completed -",
    }
    killed_before_the_write_and_somebody_removed_it_it_is_not_made_anew {
        steps: "
            push web app:1
            start
            ended 1
            hold before-write 1
            push web app:2
            held
            crash
            hand remove web
            wait 1m
            start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 superseded",
        world: "",
    }
    killed_before_the_creation_and_somebody_took_the_name {
        steps: "
            hold before-write 2
            push web app:1
            start
            held
            crash
            hand take-name web
            wait 1m
            start
            ended 1",
        record: "1 preprod sync failed: web >1 superseded",
        world: "preprod/web app:1 1/1 - -",
    }
    killed_while_the_engine_is_down_it_is_taken_up_when_both_are_back {
        steps: "
            push web app:1
            start
            ended 1
            hold after-write 1
            push web app:2
            held
            daemon kill
            crash
            start
            wait 30s
            daemon start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    killed_between_two_levels_the_second_is_written_by_the_next {
        steps: "
            push db app:1; web app:1 after=db
            start
            ended 1
            push db app:2; web app:2 after=db
            phase db updating
            crash
            wait 20s
            start
            ended 2",
        record: "
            1 preprod sync success: db >1 succeeded, web >1 succeeded
            2 preprod sync success: db 1>2 succeeded, web 1>2 succeeded",
        world: "
            preprod/db app:2 1/1 completed #2
            preprod/web app:2 1/1 completed #2",
    }
    killed_when_one_has_failed_the_rest_stays_unwritten {
        steps: "
            push db app:1; web app:1 after=db
            start
            ended 1
            hold after-entry 4
            push db app:2 run='exit 3' fail=pause; web app:2 after=db
            held
            crash
            wait 20s
            start
            ended 2",
        record: "
            1 preprod sync success: db >1 succeeded, web >1 succeeded
            2 preprod sync failed: db 1>2 failed/paused, web 1>2 cancelled",
        world: "
            preprod/db app:2
            preprod/web app:1 1/1 - #1",
    }
    killed_while_a_service_is_removed_it_is_gone_in_the_end {
        steps: "
            push web app:1; db app:1
            start
            ended 1
            hold before-write 1
            push web app:1
            held
            crash
            start
            ended 2",
        record: "
            1 preprod sync success: db >1 succeeded, web >1 succeeded
            2 preprod sync success: db 1> pruned",
        world: "preprod/web app:1 1/1 - #1",
    }
    killed_after_a_service_was_removed_it_is_gone {
        steps: "
            push web app:1; db app:1
            start
            ended 1
            hold after-write 1
            push web app:1
            held
            crash
            start
            ended 2",
        record: "
            1 preprod sync success: db >1 succeeded, web >1 succeeded
            2 preprod sync success: db 1> pruned",
        world: "preprod/web app:1 1/1 - #1",
    }
    killed_after_a_job_was_written_it_runs_once {
        steps: "
            push migrate app:1 job run='exit 0'
            start
            ended 1
            hold after-write 1
            push migrate app:2 job run='exit 0'
            held
            crash
            wait 1m
            start
            ended 2",
        record: "
            1 preprod sync success: migrate >1 completed
            2 preprod sync success: migrate 1>2 completed",
        world: "preprod/migrate app:2",
    }
    killed_after_a_cancel_it_stays_cancelled {
        steps: "
            push db app:1; web app:1 after=db
            start
            ended 1
            push db app:2; web app:2 after=db
            phase db updating
            cancel 2
            crash
            start
            ended 2",
        record: "
            1 preprod sync success: db >1 succeeded, web >1 succeeded
            2 preprod sync cancelled: db 1>2 succeeded, web 1>2 cancelled",
        world: "
            preprod/db app:2 1/1 completed #2
            preprod/web app:1 1/1 - #1",
    }
    killed_before_the_end_was_recorded_it_is_recorded_once {
        steps: "
            push web app:1
            start
            ended 1
            hold before-entry 5
            push web app:2
            held
            crash
            start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    killed_after_the_end_was_recorded_nothing_is_added {
        steps: "
            push web app:1
            start
            ended 1
            hold after-entry 5
            push web app:2
            held
            crash
            start
            wait 5m
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    killed_for_longer_than_a_deployment_may_take_the_truth_is_still_found {
        steps: "
            push web app:1
            start
            ended 1
            hold after-write 1
            push web app:2
            held
            crash
            wait 2h
            start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    stopped_in_the_middle_it_goes_on_in_the_next_process {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2
            phase web updating
            stop
            wait 1m
            start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    a_push_while_nobody_runs_is_deployed_at_the_next_start {
        steps: "
            push web app:1
            start
            ended 1
            stop
            push web app:2
            push web app:3
            wait 1h
            start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>3 succeeded",
        world: "preprod/web app:3 1/1 completed #2",
    }
}
