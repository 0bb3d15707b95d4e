//! Calls that fail, hang, come late, or lose their answer.

use super::scenarios;

scenarios! {
    an_update_whose_answer_is_lost_is_not_sent_again {
        steps: "
            push web app:1 x2
            start
            ended 1
            fault POST /update lose
            push web app:2 x2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 2/2 completed #2",
    }
    a_creation_whose_answer_is_lost_is_not_sent_again {
        steps: "
            fault POST /services/create lose
            push web app:1
            start
            ended 1",
        record: "1 preprod sync success: web >1 succeeded",
        world: "preprod/web app:1 1/1 - #1",
    }
    an_update_that_never_arrived_is_sent_again {
        steps: "
            push web app:1
            start
            ended 1
            fault POST /update reset x3
            push web app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    an_update_whose_answer_breaks_off_was_done {
        steps: "
            push web app:1
            start
            ended 1
            fault POST /update cut
            push web app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    an_update_whose_answer_is_no_json_was_done {
        steps: "
            push web app:1
            start
            ended 1
            fault POST /update garble
            push web app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    an_update_that_hangs_is_looked_for_and_sent_again {
        steps: "
            push web app:1
            start
            ended 1
            fault POST /update hang
            push web app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    an_update_that_is_done_without_any_answer_is_found {
        steps: "
            push web app:1
            start
            ended 1
            fault POST /update swallow
            push web app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    an_update_that_is_done_long_after_it_was_given_up_is_accepted_once {
        steps: "
            push web app:1
            start
            ended 1
            fault POST /update late 40s
            push web app:2
            ended 2
            wait 2m",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    a_creation_that_is_done_long_after_it_was_given_up_is_accepted_once {
        steps: "
            fault POST /services/create late 40s
            push web app:1
            start
            ended 1
            wait 2m",
        record: "1 preprod sync success: web >1 succeeded",
        world: "preprod/web app:1 1/1 - #1",
    }
    an_update_that_a_proxy_refuses_is_sent_again {
        steps: "
            push web app:1
            start
            ended 1
            fault POST /update 503 x2
            push web app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    managers_that_cannot_agree_in_time_may_have_done_it {
        steps: "
            push web app:1
            start
            ended 1
            fault POST /update done-but-no-deadline
            push web app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    managers_that_cannot_agree_in_time_may_not_have_done_it {
        steps: "
            push web app:1
            start
            ended 1
            fault POST /update no-deadline
            push web app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    a_refusal_that_was_done_all_the_same_is_found {
        steps: "
            push web app:1
            start
            ended 1
            fault POST /update done-but-500
            push web app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    a_refusal_is_final {
        steps: "
            push web app:1
            start
            ended 1
            fault POST /update 500
            push web app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/refused",
        world: "preprod/web app:1 1/1 - #1",
    }
    a_version_that_moved_by_itself_is_read_again {
        steps: "
            push web app:1
            start
            ended 1
            fault POST /update out-of-sequence x4
            push web app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    a_version_that_never_stands_still_is_given_up {
        steps: "
            push web app:1
            start
            ended 1
            fault POST /update out-of-sequence x100
            push web app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 superseded",
        world: "preprod/web app:1 1/1 - #1",
    }
    a_network_whose_answer_is_lost_is_found_again {
        steps: "
            fault POST /networks/create lose
            push web app:1 net=lan
            start
            ended 1",
        record: "1 preprod sync success: web >1 succeeded",
        world: "preprod/web app:1 1/1 - #1",
    }
    a_config_and_a_secret_whose_answers_are_lost_are_found_again {
        steps: "
            fault POST /configs/create lose
            fault POST /secrets/create lose
            push web app:1 config=motd:hello secret=key:hush
            start
            ended 1",
        record: "1 preprod sync success: web >1 succeeded",
        world: "preprod/web app:1 1/1 - #1",
    }
    a_config_that_hangs_is_made_once {
        steps: "
            fault POST /configs/create hang
            push web app:1 config=motd:hello
            start
            ended 1",
        record: "1 preprod sync success: web >1 succeeded",
        world: "preprod/web app:1 1/1 - #1",
    }
    a_removal_whose_answer_is_lost_was_done {
        steps: "
            push web app:1; db app:1
            start
            ended 1
            fault DELETE /services lose
            push web app:1
            ended 2",
        record: "
            1 preprod sync success: db >1 succeeded, web >1 succeeded
            2 preprod sync success: db 1> pruned",
        world: "preprod/web app:1 1/1 - #1",
    }
    a_removal_that_never_arrived_is_sent_again {
        steps: "
            push web app:1; db app:1
            start
            ended 1
            fault DELETE /services reset x2
            push web app:1
            ended 2",
        record: "
            1 preprod sync success: db >1 succeeded, web >1 succeeded
            2 preprod sync success: db 1> pruned",
        world: "preprod/web app:1 1/1 - #1",
    }
    reads_that_fail_now_and_then_change_no_verdict {
        steps: "
            push web app:1 x2
            start
            ended 1
            fault GET /tasks 500 x2 after=4
            fault GET /services reset x2 after=8
            fault GET /nodes garble x2 after=6
            fault GET /tasks hang after=12
            push web app:2 x2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 2/2 completed #2",
    }
    a_slow_engine_changes_no_verdict {
        steps: "
            push web app:1 x2
            start
            ended 1
            fault GET / delay 1s x2000
            push web app:2 x2
            ended 2
            faults clear",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 2/2 completed #2",
    }
    an_image_that_its_registry_does_not_have_is_waited_for {
        steps: "
            push web app:1 x2
            start
            ended 1
            push web app:missing x2
            problem cannot be found in its registry
            wait 5m
            behaviour app:missing stands
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>missing succeeded",
        world: "preprod/web app:missing 2/2 completed #2",
    }
    a_plan_that_cannot_be_made_is_made_later {
        steps: "
            push web app:1
            start
            ended 1
            fault GET /secrets hang x2
            push web app:2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    events_that_break_off_change_no_verdict {
        steps: "
            push web app:1 x2
            start
            ended 1
            push web app:2 x2
            begun 2
            events cut
            wait 1s
            events cut
            wait 1s
            events cut
            wait 3s
            events cut
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 2/2 completed #2",
    }
    without_events_the_swarm_is_asked {
        steps: "
            fault GET /events hang x10000
            push web app:1 x2
            start
            ended 1
            push web app:2 x2 run='exit 3' fail=pause
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/paused",
        world: "preprod/web app:2",
    }
    without_a_registry_a_tag_is_deployed_as_it_is {
        steps: "
            registry offline
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
    logs_that_cannot_be_read_hold_up_no_verdict {
        steps: "
            fault GET /logs hang x10
            push web app:1 run='exit 3'
            start
            ended 1",
        record: "1 preprod sync failed: web >1 failed/crash_loop",
        world: "preprod/web app:1",
    }
}
