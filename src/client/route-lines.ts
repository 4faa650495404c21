// Written by `npm run docs` from src/api: the operations without their schemas, which pages in a browser would otherwise load.

/** In each line the name, the method, the path, and what there is to know besides; src/client/routes.ts reads it. */
export const routeLines = `
listRuns get /runs answer
startRun post /runs body answer once
startMany post /runs/many body answer
showRun get /runs/{run} answer
accountRun get /runs/{run}/account answer
whyRun get /runs/{run}/why answer
readProgress get /runs/{run}/progress answer
runResult get /runs/{run}/result answer
listOutputs get /runs/{run}/outputs answer
readLineage get /runs/{run}/lineage answer
cancelRun post /runs/{run}/cancel body answer revised
pauseRun post /runs/{run}/pause body answer revised
resumeRun post /runs/{run}/resume body answer revised
prioritizeRun post /runs/{run}/prioritize body answer revised
redriveRun post /runs/{run}/redrive body answer
forkRun post /runs/{run}/fork body answer
rerunRun post /runs/{run}/rerun body answer
deleteRun delete /runs/{run} answer
followRuns get /runs/events text/event-stream
followRun get /runs/{run}/events text/event-stream
followQueue get /queues/{queue}/events text/event-stream
ensureRun post /runs/ensure body answer
startStep post /runs/{run}/steps/{step}/start body answer
heartbeatStep post /runs/{run}/steps/{step}/heartbeat body answer
logStep post /runs/{run}/steps/{step}/log body
reportStep post /runs/{run}/steps/{step}/report body
completeStep post /runs/{run}/steps/{step}/complete body answer
failStep post /runs/{run}/steps/{step}/fail body answer
releaseStep post /runs/{run}/steps/{step}/release body
completeRun post /runs/{run}/complete body answer
sendSignal post /signals body answer
signalRun post /runs/{run}/signals body answer
listApprovals get /approvals answer
showApproval get /approvals/{approval} answer
decideApproval post /approvals/{approval}/decide body answer
delegateApproval post /approvals/{approval}/delegate body
listArtifacts get /runs/{run}/artifacts answer
readArtifact get /runs/{run}/artifacts/{artifact} application/octet-stream
listDeadLetters get /dead-letters answer
listFailures get /dead-letters/groups answer
planRedrive post /redrives/plan body answer
startRedrive post /redrives body answer
listRedrives get /redrives answer
showRedrive get /redrives/{redrive} answer
listRedrivenRuns get /redrives/{redrive}/runs answer
abortRedrive post /redrives/{redrive}/abort body answer
listPipelines get /pipelines answer
pipelineInventory get /inventory answer
showPipeline get /pipelines/{pipeline} answer
listVersions get /pipelines/{pipeline}/versions answer
pipelineOutcomes get /pipelines/{pipeline}/outcomes answer
pausePipeline post /pipelines/{pipeline}/pause body answer revised
resumePipeline post /pipelines/{pipeline}/resume body answer revised
activatePipeline post /pipelines/{pipeline}/activate body revised
splitPipeline post /pipelines/{pipeline}/split body revised
migrateRuns post /pipelines/{pipeline}/migrate-runs body answer
listPausedKeys get /paused-keys answer
resumeKey post /pipelines/{pipeline}/resume-key body answer
listSchedules get /schedules answer
showSchedule get /schedules/{schedule} answer
nextSlots get /schedules/{schedule}/next answer
listFirings get /schedules/{schedule}/firings answer
defineSchedule put /schedules/{schedule} body answer revised
removeSchedule delete /schedules/{schedule} answer revised
pauseSchedule post /schedules/{schedule}/pause body answer revised
resumeSchedule post /schedules/{schedule}/resume body answer revised
triggerSchedule post /schedules/{schedule}/trigger body answer
backfillSchedule post /schedules/{schedule}/backfill body answer
listWebhooks get /webhooks answer
showWebhook get /webhooks/{webhook} answer
rotateWebhook post /webhooks/{webhook}/rotate body answer
revokeWebhook post /webhooks/{webhook}/revoke body answer
listDeliveries get /deliveries answer
showDelivery get /deliveries/{delivery} answer
replayDeliveries post /deliveries/replay body answer
listWatches get /watches answer
showWatch get /watches/{watch} answer
defineWatch put /watches/{watch} body answer revised
pauseWatch post /watches/{watch}/pause body answer revised
resumeWatch post /watches/{watch}/resume body answer revised
removeWatch delete /watches/{watch} answer revised
abortBackfill post /backfills/{backfill}/abort body answer
listSubscriptions get /subscriptions answer
showSubscription get /subscriptions/{subscription} answer
defineSubscription put /subscriptions/{subscription} body answer revised
pauseSubscription post /subscriptions/{subscription}/pause body answer revised
resumeSubscription post /subscriptions/{subscription}/resume body answer revised
removeSubscription delete /subscriptions/{subscription} revised
listEvents get /events answer
emit post /events body answer
addCallback post /runs/{run}/callbacks body answer
listCallbacks get /callbacks answer
showCallback get /callbacks/{callback} answer
resendCallback post /callbacks/{callback}/resend body
listLimits get /limits answer
showLimit get /limits/{limit} answer
defineLimit put /limits/{limit} body answer revised
removeLimit delete /limits/{limit} answer revised
listStartRules get /start-rules answer
defineStartRule put /pipelines/{pipeline}/start-rules/{rule} body answer revised
removeStartRule delete /pipelines/{pipeline}/start-rules/{rule} answer revised
listLocks get /locks answer
listCache get /cache answer
invalidateCache post /cache/invalidate body answer
listSecrets get /secrets answer
setSecret put /secrets/{secret} body answer revised
rotateSecret post /secrets/{secret}/rotate body answer revised
removeSecret delete /secrets/{secret} answer revised
listWorkers get /admin/workers answer
pauseWorker post /admin/workers/{worker}/pause body answer
resumeWorker post /admin/workers/{worker}/resume body answer
drainWorker post /admin/workers/{worker}/drain body answer
eraseTenant post /tenants/{tenant}/erase body answer
reencrypt post /encryption/rotate body answer
listApiKeys get /keys answer
showApiKey get /keys/{key} answer
createApiKey post /keys body answer
rotateApiKey post /keys/{key}/rotate body answer
revokeApiKey post /keys/{key}/revoke body answer
listServiceAccounts get /service-accounts answer
createServiceAccount post /service-accounts body answer
disableServiceAccount post /service-accounts/{account}/disable body answer
enableServiceAccount post /service-accounts/{account}/enable body answer
createRunToken post /runs/{run}/tokens body answer
listAgentRequests get /agent-requests answer
showAgentRequest get /agent-requests/{agent_request} answer
approveAgentRequest post /agent-requests/{agent_request}/approve body answer once
rejectAgentRequest post /agent-requests/{agent_request}/reject body answer
serveMcp post /mcp once application/json
signIn post /auth/sign-in body once
beginProviderSignIn get /auth/oidc text/html
finishProviderSignIn get /auth/oauth2/callback/oidc text/html
showLink post /auth/link/show body answer once
useLink post /auth/link/use body answer once
showLinkPage get /auth/link text/html
showLinkScript get /auth/link.js text/javascript
showActor get /auth/actor answer
signOut post /auth/sign-out once
changePassword post /auth/password body once
listOwnSessions get /auth/sessions answer
endOwnSession delete /auth/sessions/{session}
listPeople get /people answer
showPerson get /people/{person} answer
invitePerson post /people body answer
linkPerson post /people/{person}/link body answer
changePerson patch /people/{person} body answer revised
disablePerson post /people/{person}/disable answer revised
enablePerson post /people/{person}/enable answer revised
listPersonSessions get /people/{person}/sessions answer
endPersonSessions post /people/{person}/end-sessions answer
listAuditEntries get /audit-trail answer
exportAuditTrail get /audit-trail/export application/x-ndjson
verifyAuditTrail get /audit-trail/verify answer
pruneAuditTrail post /audit-trail/prune body answer
checkHealth get /health answer unwell
checkLiveness get /health/live answer
checkReadiness get /health/ready answer unwell
readMetrics get /metrics text/plain
describeApi get /openapi.json application/json
showReference get /reference text/html
styleReference get /reference/style.css text/css
`
