// The fleet as the parameter files are told of it: the same for all three.
import { fleetType } from 'types.bicep'

@description('The parts of a list that is separated by commas.')
func listed(text string) string[] => filter(map(split(text, ','), part => trim(part)), part => !empty(part))

@export()
@description('The subscriptions of a file of one\'s own or else of a list, and the system topics among those that are there.')
func fleetOf(own array, several string, topics string) fleetType[] =>
  map(empty(own) ? map(listed(several), id => { subscriptionId: id }) : own, each => {
    subscriptionId: each.subscriptionId
    systemTopicId: each.?systemTopicId ?? first(filter(listed(topics), topic => startsWith(toLower(topic), toLower('/subscriptions/${each.subscriptionId}/'))))
  })
