//! What people, programs and the source ask for at the wrong moment.

use super::scenarios;

scenarios! {
    of_the_pushes_during_a_deployment_the_newest_is_next {
        steps: "
            push web app:1
            start
            begun 1
            push web app:2
            push web app:3
            ended 1
            ended 2
            wait 5m",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>3 succeeded",
        world: "preprod/web app:3 1/1 completed #2",
    }
    a_failed_revision_is_not_tried_again_by_itself {
        steps: "
            push web app:1 x3
            start
            ended 1
            push web app:2 x3 run='exit 3' fail=pause rest=5m
            ended 2
            wait 100m",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/paused",
        world: "preprod/web app:2 0/3 paused #2",
    }
    a_revision_that_swarm_rolled_back_is_not_tried_again_by_itself {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2 run='exit 3' fail=rollback
            ended 2
            wait 100m
            crash
            start
            wait 100m",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync rolled_back: web 1>2 rolled_back",
        world: "preprod/web app:1 1/1 rollback_completed #1",
    }
    a_person_may_try_a_rolled_back_revision_again {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2 run='sleep 0; exit 3' fail=rollback
            ended 2
            retry
            ended 3",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync rolled_back: web 1>2 rolled_back
            3 preprod retry rolled_back: web 1>2 rolled_back",
        world: "preprod/web app:1 1/1 rollback_completed #1",
    }
    the_same_failed_spec_is_not_submitted_twice {
        steps: "
            push web app:1 x3
            start
            ended 1
            push web app:2 x3 run='exit 3' fail=pause rest=1m
            ended 2
            retry
            ended 3
            wait 5m",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/paused
            3 preprod retry failed: web 1>2 failed/paused",
        world: "preprod/web app:2 0/3 paused #2",
    }
    after_a_failure_the_next_push_repairs_it {
        steps: "
            push web app:1 x2
            start
            ended 1
            push web app:2 x2 run='exit 3' fail=pause
            ended 2
            push web app:3 x2
            ended 3",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync failed: web 1>2 failed/paused
            3 preprod sync success: web 2>3 succeeded",
        world: "preprod/web app:3 2/2 completed #3",
    }
    what_was_reverted_is_deployed_again {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2
            ended 2
            push web app:1
            ended 3",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded
            3 preprod sync success: web 2>1 succeeded",
        world: "preprod/web app:1 1/1 completed #3",
    }
    a_job_is_not_run_again_when_others_are_deployed {
        steps: "
            push migrate app:1 job run='exit 0'; web app:1
            start
            ended 1
            push migrate app:1 job run='exit 0'; web app:2
            ended 2
            push migrate app:1 job run='exit 0'; web app:3
            ended 3",
        record: "
            1 preprod sync success: migrate >1 completed, web >1 succeeded
            2 preprod sync success: web 1>2 succeeded
            3 preprod sync success: web 2>3 succeeded",
        world: "
            preprod/migrate app:1 0/1 - #1
            preprod/web app:3 1/1 completed #3",
    }
    the_third_of_five_fails_and_the_last_two_are_not_touched {
        steps: "
            push a app:1; b app:1 after=a; c app:1 after=b; d app:1 after=c; e app:1 after=d
            start
            ended 1
            push a app:2; b app:2 after=a; c app:2 after=b run='exit 3' fail=pause; d app:2 after=c; e app:2 after=d
            ended 2",
        record: "
            1 preprod sync success: a >1 succeeded, b >1 succeeded, c >1 succeeded, d >1 succeeded, e >1 succeeded
            2 preprod sync failed: a 1>2 succeeded, b 1>2 succeeded, c 1>2 failed/paused, d 1>2 cancelled, e 1>2 cancelled",
        world: "
            preprod/a app:2 1/1 completed #2
            preprod/b app:2 1/1 completed #2
            preprod/c app:2
            preprod/d app:1 1/1 - #1
            preprod/e app:1 1/1 - #1",
    }
    one_that_fails_does_not_hide_how_its_neighbour_did {
        steps: "
            push web app:1; db app:1
            start
            ended 1
            push web app:2 run='exit 3' fail=pause; db app:2
            ended 2",
        record: "
            1 preprod sync success: db >1 succeeded, web >1 succeeded
            2 preprod sync failed: db 1>2 succeeded, web 1>2 failed/paused",
        world: "
            preprod/db app:2 1/1 completed #2
            preprod/web app:2",
    }
    cancelled_before_the_second_level_that_stays_as_it_was {
        steps: "
            push db app:1; web app:1 after=db
            start
            ended 1
            push db app:2; web app:2 after=db
            phase db updating
            cancel 2
            ended 2
            wait 10m",
        record: "
            1 preprod sync success: db >1 succeeded, web >1 succeeded
            2 preprod sync cancelled: db 1>2 succeeded, web 1>2 cancelled",
        world: "
            preprod/db app:2 1/1 completed #2
            preprod/web app:1 1/1 - #1",
    }
    cancelled_before_anything_was_written_nothing_is {
        steps: "
            push web app:1
            start
            ended 1
            hold after-entry 1
            push web app:2
            held
            daemon freeze
            resume
            begun 2
            wait 2s
            cancel 2
            daemon start
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync cancelled: web 1>2 cancelled",
        world: "preprod/web app:1 1/1 - #1",
    }
    cancelled_when_it_is_over_is_too_late {
        steps: "
            push web app:1
            start
            ended 1
            cancel 1
            refused over
            cancel 7
            refused 7",
        record: "1 preprod sync success: web >1 succeeded",
        world: "preprod/web app:1 1/1 - #1",
    }
    cancelled_while_a_write_is_in_doubt_the_truth_is_told {
        steps: "
            push web app:1
            start
            ended 1
            fault POST /update swallow
            push web app:2
            phase web submitting
            wait 5s
            cancel 2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    cancelled_while_a_write_has_not_arrived_it_is_not_sent_again {
        steps: "
            push web app:1
            start
            ended 1
            fault POST /update hang
            push web app:2
            phase web submitting
            wait 5s
            cancel 2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync cancelled: web 1>2 cancelled",
        world: "preprod/web app:1 1/1 - #1",
    }
    prod_gets_what_preprod_has_proved {
        steps: "
            push web app:1; db app:1
            start
            ended 1
            promote
            ended 2
            push web app:2; db app:2
            ended 3
            promote web
            ended 4
            wait 10m",
        record: "
            1 preprod sync success: db >1 succeeded, web >1 succeeded
            2 prod promotion success: db >1 succeeded, web >1 succeeded
            3 preprod sync success: db 1>2 succeeded, web 1>2 succeeded
            4 prod promotion success: web 1>2 succeeded",
        world: "
            preprod/db app:2 1/1 completed #3
            preprod/web app:2 1/1 completed #3
            prod/db app:1 1/1 - #2
            prod/web app:2 1/1 completed #4",
    }
    what_failed_in_preprod_is_not_promoted {
        steps: "
            push web app:1
            start
            ended 1
            promote
            ended 2
            push web app:2 run='exit 3' fail=pause
            ended 3
            promote
            refused nothing",
        record: "
            1 preprod sync success: web >1 succeeded
            2 prod promotion success: web >1 succeeded
            3 preprod sync failed: web 1>2 failed/paused",
        world: "
            preprod/web app:2
            prod/web app:1 1/1 - #2",
    }
    a_second_promotion_is_told_which_one_runs {
        steps: "
            push web app:1
            start
            ended 1
            promote
            promote
            refused 2
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 prod promotion success: web >1 succeeded",
        world: "
            preprod/web app:1 1/1 - #1
            prod/web app:1 1/1 - #2",
    }
    both_environments_go_on_at_the_same_time_through_a_crash {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2
            phase web updating
            promote
            crash
            start
            ended 2
            ended 3",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded
            3 prod promotion success: web >1 succeeded",
        world: "
            preprod/web app:2 1/1 completed #2
            prod/web app:1 1/1 - #3",
    }
    most_services_gone_at_once_is_a_question_for_a_person {
        steps: "
            push a app:1; b app:1; c app:1; d app:1
            start
            ended 1
            push a app:1
            problem 3
            wait 30m",
        record: "1 preprod sync success: a >1 succeeded, b >1 succeeded, c >1 succeeded, d >1 succeeded",
        world: "
            preprod/a app:1 1/1 - #1
            preprod/b app:1 1/1 - #1
            preprod/c app:1 1/1 - #1
            preprod/d app:1 1/1 - #1",
    }
    a_source_that_goes_away_in_the_middle_disturbs_nothing {
        steps: "
            push web app:1
            start
            ended 1
            push web app:2
            phase web updating
            source down
            ended 2
            wait 10m
            source up
            wait 2m",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>2 succeeded",
        world: "preprod/web app:2 1/1 completed #2",
    }
    a_name_that_somebody_has_is_refused_before_anything_is_written {
        steps: "
            hand take-name web
            push web app:1; db app:1
            start
            problem belong
            wait 10m",
        record: "",
        world: "preprod/web app:1 1/1 - -",
    }
    a_config_that_changes_gets_a_new_object_and_the_old_one_stays_for_the_way_back {
        steps: "
            push web app:1 config=motd:hello secret=key:hush
            start
            ended 1
            push web app:1 config=motd:bye secret=key:secret
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync success: web 1>1 succeeded",
        world: "preprod/web app:1 1/1 completed #2",
    }
    a_secret_whose_new_users_fail_is_still_there_for_the_old_ones {
        steps: "
            push web app:1 secret=key:hush
            start
            ended 1
            push web app:2 secret=key:other run='exit 3' fail=rollback
            ended 2",
        record: "
            1 preprod sync success: web >1 succeeded
            2 preprod sync rolled_back: web 1>2 rolled_back",
        world: "preprod/web app:1 1/1 rollback_completed #1",
    }
    unchanged_services_are_not_written {
        steps: "
            push a app:1; b app:1 x2; c app:1 config=motd:hello
            start
            ended 1
            push a app:2; b app:1 x2; c app:1 config=motd:hello
            ended 2",
        record: "
            1 preprod sync success: a >1 succeeded, b >1 succeeded, c >1 succeeded
            2 preprod sync success: a 1>2 succeeded",
        world: "
            preprod/a app:2 1/1 completed #2
            preprod/b app:1 2/2 - #1
            preprod/c app:1 1/1 - #1",
    }
}
