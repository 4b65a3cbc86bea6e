// Limits in virtual time: who gets a place, and when.
import { expect, test } from 'vitest'
import { Limits } from './limits.ts'

const at = (path: string) => ({ run: 'r', path })

test('places are given in the order they were asked for', () => {
  const limits = new Limits()
  const two = { key: 'k', limit: 2, perMs: null }
  expect(['a', 'b', 'c', 'd'].map((path) => limits.ask(two, at(path), 0).granted)).toEqual([true, true, false, false])
  // who has a place has it still
  expect(limits.ask(two, at('a'), 0).granted).toBe(true)
  expect(limits.release('k', at('b'))).toEqual([at('c')])
  // somebody new does not come before those who wait
  expect(limits.ask(two, at('e'), 0).granted).toBe(false)
  expect(limits.ask(two, at('c'), 0).granted).toBe(true)
  // who gives up waiting leaves the queue, and takes no place along
  expect(limits.release('k', at('d'))).toEqual([])
  expect(limits.release('k', at('a'))).toEqual([at('e')])
})

test('a rate gives so many starts in any window, and says when the next is due', () => {
  const limits = new Limits()
  const rate = { key: 'k', limit: 2, perMs: 1_000 }
  expect(limits.ask(rate, at('a'), 0).granted).toBe(true)
  expect(limits.ask(rate, at('b'), 400).granted).toBe(true)
  expect(limits.ask(rate, at('c'), 500)).toMatchObject({ granted: false, againInMs: 500 })
  expect(limits.ask(rate, at('d'), 500)).toMatchObject({ granted: false, againInMs: 900 })
  expect(limits.ask(rate, at('e'), 500)).toMatchObject({ granted: false, againInMs: 1_500 })
  expect(limits.ask(rate, at('c'), 1_000).granted).toBe(true)
  expect(limits.ask(rate, at('d'), 1_000).granted).toBe(false)
  expect(limits.ask(rate, at('d'), 1_400).granted).toBe(true)
})

test('a rate and a limit at a time with the same key count apart', () => {
  const limits = new Limits()
  expect(limits.ask({ key: 'k', limit: 1, perMs: null }, at('a'), 0).granted).toBe(true)
  expect(limits.ask({ key: 'k', limit: 1, perMs: 1_000 }, at('b'), 0).granted).toBe(true)
})
